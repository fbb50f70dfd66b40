-- The questions to PostgreSQL's catalogues whose answers together are a schema, each in a named order: everything of
-- every schema that is not the server's own, except Alembic's version table. A line "-- :NAME" begins each.

-- :schemas
SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY nspname;

-- :extensions
SELECT extname, extversion FROM pg_extension ORDER BY extname;

-- :relations
-- Tables, views, sequences, composite types, foreign tables.
SELECT nspname, relname, relkind::text, relpersistence::text, relrowsecurity, relforcerowsecurity,
       relispartition, reloptions::text, pg_get_expr(relpartbound, c.oid),
       CASE WHEN relkind = 'p' THEN pg_get_partkeydef(c.oid) END
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
  AND relkind IN ('r', 'p', 'v', 'm', 'f', 'c', 'S') AND c.relname <> 'alembic_version'
ORDER BY nspname, relname;

-- :columns
-- By name: one that was dropped and added again is the same.
SELECT nspname, relname, attname, format_type(atttypid, atttypmod), attnotnull, attidentity::text,
       attgenerated::text, pg_get_expr(adbin, adrelid), collname
FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND d.adnum = attnum
LEFT JOIN pg_collation l ON l.oid = attcollation
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
  AND attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
  AND c.relname <> 'alembic_version'
ORDER BY nspname, relname, attname;

-- :constraints
SELECT nspname, coalesce(c.relname, t.typname), conname, contype::text, convalidated,
       pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN pg_namespace n ON n.oid = connamespace
LEFT JOIN pg_class c ON c.oid = conrelid LEFT JOIN pg_type t ON t.oid = contypid
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
  AND (c.relname IS NULL OR c.relname <> 'alembic_version')
ORDER BY nspname, 2, conname;

-- :indexes
-- Also those that a CREATE INDEX CONCURRENTLY that was broken off left behind, which are not valid.
SELECT nspname, c.relname, x.relname, indisvalid, indisready, pg_get_indexdef(indexrelid)
FROM pg_index i JOIN pg_class c ON c.oid = indrelid JOIN pg_class x ON x.oid = indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
  AND c.relname <> 'alembic_version'
ORDER BY nspname, x.relname;

-- :sequences
-- By their rules, not by where they stand.
SELECT nspname, relname, format_type(seqtypid, NULL), seqstart, seqincrement, seqmin, seqmax, seqcycle
FROM pg_sequence s JOIN pg_class c ON c.oid = seqrelid JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
ORDER BY nspname, relname;

-- :enums
SELECT nspname, typname, enumlabel
FROM pg_enum e JOIN pg_type t ON t.oid = enumtypid JOIN pg_namespace n ON n.oid = typnamespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
ORDER BY nspname, typname, enumsortorder;

-- :types
-- Domains, ranges and the like.
SELECT nspname, typname, typtype::text, typnotnull, typdefault, format_type(typbasetype, typtypmod)
FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
  AND typtype IN ('d', 'e', 'r')
ORDER BY nspname, typname;

-- :views
SELECT nspname, relname, relispopulated, pg_get_viewdef(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
  AND relkind IN ('v', 'm')
ORDER BY nspname, relname;

-- :functions
SELECT nspname, proname, pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid),
       prokind::text, lanname, provolatile::text, proisstrict, prosecdef, proconfig::text, probin,
       prosrc, pg_get_function_arguments(p.oid)
FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace JOIN pg_language l ON l.oid = prolang
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
ORDER BY nspname, proname, 3;

-- :triggers
SELECT nspname, relname, tgname, tgenabled::text, pg_get_triggerdef(t.oid)
FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
  AND NOT tgisinternal
ORDER BY nspname, relname, tgname;

-- :rules
SELECT nspname, relname, rulename, ev_enabled::text, pg_get_ruledef(r.oid)
FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
  AND rulename <> '_RETURN'
ORDER BY nspname, relname, rulename;

-- :policies
SELECT nspname, relname, polname, polcmd::text, polpermissive, pg_get_expr(polqual, polrelid),
       pg_get_expr(polwithcheck, polrelid)
FROM pg_policy p JOIN pg_class c ON c.oid = polrelid JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
ORDER BY nspname, relname, polname;
