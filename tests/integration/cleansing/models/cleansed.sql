select
    id,
    case how
        {%- for how in ['trim', 'lower', 'upper', 'email', 'name', 'address'] %}
        when '{{ how }}' then {{ cleanse(expression='written', how=how) }}
        {%- endfor %}
        when 'phone'
            then {{ cleanse(
                expression='written', how='phone', country='country'
            ) }}
        when 'phone of DE'
            then {{ cleanse(expression='written', how='phone', country='DE') }}
        when 'phone of US'
            then {{ cleanse(expression='written', how='phone', country='US') }}
        when 'phone of AU'
            then {{ cleanse(expression='written', how='phone', country='AU') }}
    end as cleansed
from cleansing.written
