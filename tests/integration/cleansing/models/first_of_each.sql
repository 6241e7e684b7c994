{{ deduplicate(
    source='cleansing.written_twice',
    key=['key_id', 'part'],
    order_by=['written_at desc', 'id'],
) }}
