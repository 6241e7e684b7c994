select
    column1 as id,
    column2 as part,
    column3 as "Mixed",
    column4 as amount,
    column5 as low,
    column6 as high,
    column7 as code
from (
    values
    (1, 'a', 'x', 10, 1, 2, 'AB-1'),
    (1, 'a', 'x', 0, 2, 2, 'ab-2'),
    (2, null, 'y', 20, 3, 2, ' AB-3'),
    (2, null, 'y', 21, null, 2, null),
    (3, 'b', 'z', -1, 1, null, ''),
    (4, 'b', null, null, 5, 4, 'AB-4x')
) as literal
