-- The questions to MySQL's and MariaDB's information schema whose answers together are the schema of one database,
-- each in a named order, except Alembic's version table. A line "-- :NAME" begins each, with the name of the view that
-- it asks: where a server has no such view, the question is left out.

-- :TABLES
SELECT table_name, table_type, engine, table_collation, create_options, table_comment
FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_name <> 'alembic_version'
ORDER BY table_name;

-- :COLUMNS
-- By name: one that was dropped and added again is the same.
SELECT table_name, column_name, column_type, is_nullable, column_default, extra, collation_name,
       generation_expression, column_comment
FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name <> 'alembic_version'
ORDER BY table_name, column_name;

-- :STATISTICS
-- The indexes.
SELECT table_name, index_name, seq_in_index, column_name, non_unique, collation, sub_part, index_type
FROM information_schema.statistics
WHERE table_schema = DATABASE() AND table_name <> 'alembic_version'
ORDER BY table_name, index_name, seq_in_index;

-- :TABLE_CONSTRAINTS
SELECT table_name, constraint_name, constraint_type
FROM information_schema.table_constraints
WHERE table_schema = DATABASE() AND table_name <> 'alembic_version'
ORDER BY table_name, constraint_name;

-- :KEY_COLUMN_USAGE
SELECT table_name, constraint_name, ordinal_position, column_name, referenced_table_schema,
       referenced_table_name, referenced_column_name
FROM information_schema.key_column_usage
WHERE table_schema = DATABASE() AND table_name <> 'alembic_version'
ORDER BY table_name, constraint_name, ordinal_position;

-- :REFERENTIAL_CONSTRAINTS
SELECT table_name, constraint_name, referenced_table_name, match_option, update_rule, delete_rule
FROM information_schema.referential_constraints
WHERE constraint_schema = DATABASE()
ORDER BY table_name, constraint_name;

-- :CHECK_CONSTRAINTS
SELECT constraint_name, check_clause
FROM information_schema.check_constraints
WHERE constraint_schema = DATABASE()
ORDER BY constraint_name, check_clause;

-- :PARTITIONS
SELECT table_name, partition_name, partition_method, partition_expression, partition_description
FROM information_schema.partitions
WHERE table_schema = DATABASE() AND partition_name IS NOT NULL
ORDER BY table_name, partition_name;

-- :VIEWS
SELECT table_name, view_definition, check_option, security_type
FROM information_schema.views
WHERE table_schema = DATABASE()
ORDER BY table_name;

-- :ROUTINES
SELECT routine_name, routine_type, dtd_identifier, routine_definition, is_deterministic, sql_data_access,
       security_type
FROM information_schema.routines
WHERE routine_schema = DATABASE()
ORDER BY routine_type, routine_name;

-- :PARAMETERS
-- Of the routines.
SELECT specific_name, routine_type, ordinal_position, parameter_mode, parameter_name, dtd_identifier
FROM information_schema.parameters
WHERE specific_schema = DATABASE()
ORDER BY specific_name, routine_type, ordinal_position;

-- :TRIGGERS
SELECT trigger_name, event_manipulation, event_object_table, action_timing, action_order, action_statement
FROM information_schema.triggers
WHERE trigger_schema = DATABASE()
ORDER BY trigger_name;

-- :EVENTS
SELECT event_name, status, event_type, interval_value, interval_field, event_definition
FROM information_schema.events
WHERE event_schema = DATABASE()
ORDER BY event_name;
