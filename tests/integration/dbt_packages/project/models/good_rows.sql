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
    (1, 'a', 'x', 0, 1, 2, 'AB-1'),
    (1, 'b', 'y', 20, 1, 2, 'CD-22'),
    (1, null, null, 10, null, 2, 'EF-3'),
    (2, null, 'z', null, 1, null, 'GH-4')
) as literal
