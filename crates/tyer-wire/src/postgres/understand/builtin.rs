//! Lists of PostgreSQL's built-in names, up to version 18. Whatever is not on a list is not harmless.
//!
//! The lists of harmless names are sorted, because they are searched by halving.

mod support;

use self::support::SUPPORT;

/// Whether a built-in function only computes or reads what this session may see anyway.
pub(super) fn is_harmless_function(name: &str) -> bool {
    FUNCTIONS.binary_search(&name).is_ok() || SUPPORT.binary_search(&name).is_ok()
}

/// Whether a type is built in.
pub(super) fn is_type(name: &str) -> bool {
    TYPES.binary_search(&name).is_ok()
}

/// Whether an operator of that spelling is built in.
pub(super) fn is_operator(name: &str) -> bool {
    OPERATORS.binary_search(&name).is_ok()
}

/// Whether a relation is one of the database's own.
pub(super) fn is_catalog(schema: &str, name: &str) -> bool {
    match schema {
        "pg_catalog" | "information_schema" | "pg_toast" => true,
        "" => RELATIONS.binary_search(&name).is_ok(),
        _ => false,
    }
}

/// Whether reading a relation is what drivers and tools do to find their way about. What shows other
/// sessions' work or samples of stored values is an ordinary read.
pub(super) fn is_introspection(schema: &str, name: &str) -> bool {
    let shows_data = name.starts_with("pg_stat_activity")
        || name.starts_with("pg_stats")
        || name.starts_with("pg_statistic")
        || name.starts_with("pg_largeobject");
    let shows_data = shows_data || name == "pg_db_role_setting";
    schema != "pg_toast" && is_catalog(schema, name) && !shows_data
}

/// What secret a relation hands out, if it does.
pub(super) fn secret(schema: &str, name: &str) -> Option<&'static str> {
    if !is_catalog(schema, name) {
        return None;
    }
    match name {
        "pg_authid" | "pg_shadow" => Some("hashes of passwords"),
        "pg_user_mapping" | "pg_user_mappings" | "user_mapping_options" | "_pg_user_mappings" => {
            Some("passwords of other servers")
        }
        "pg_subscription" => Some("how to sign in to other servers"),
        "pg_hba_file_rules" | "pg_file_settings" | "pg_ident_file_mappings" => {
            Some("how the server lets people in")
        }
        "pg_largeobject" => Some("the contents of every large object"),
        _ => None,
    }
}

/// Functions that read files of the database's host.
pub(super) const READS_FILES: &[&str] = &[
    "lo_import",
    "pg_current_logfile",
    "pg_logdir_ls",
    "pg_ls_archive_statusdir",
    "pg_ls_dir",
    "pg_ls_logdir",
    "pg_ls_logicalmapdir",
    "pg_ls_logicalsnapdir",
    "pg_ls_replslotdir",
    "pg_ls_summariesdir",
    "pg_ls_tmpdir",
    "pg_ls_waldir",
    "pg_read_binary_file",
    "pg_read_file",
    "pg_read_file_old",
    "pg_stat_file",
];

/// Functions that write or remove files of the database's host.
pub(super) const WRITES_FILES: &[&str] =
    &["lo_export", "pg_file_rename", "pg_file_sync", "pg_file_unlink", "pg_file_write"];

/// Functions that run SQL, or read whatever they are told to, from a value.
pub(super) const RUNS_SQL: &[&str] = &[
    "cursor_to_xml",
    "cursor_to_xmlschema",
    "database_to_xml",
    "database_to_xml_and_xmlschema",
    "database_to_xmlschema",
    "pg_logical_slot_peek_binary_changes",
    "pg_logical_slot_peek_changes",
    "query_to_xml",
    "query_to_xml_and_xmlschema",
    "query_to_xmlschema",
    "schema_to_xml",
    "schema_to_xml_and_xmlschema",
    "schema_to_xmlschema",
    "table_to_xml",
    "table_to_xml_and_xmlschema",
    "table_to_xmlschema",
    "ts_rewrite",
    "ts_stat",
];

/// Functions that hand out what [`secret`] relations do.
pub(super) const SECRETS: &[&str] = &[
    "pg_hba_file_rules",
    "pg_ident_file_mappings",
    "pg_show_all_file_settings",
    "pg_show_all_settings",
];

/// Functions that change how data is replicated.
pub(super) const REPLICATION: &[&str] = &[
    "pg_copy_logical_replication_slot",
    "pg_copy_physical_replication_slot",
    "pg_create_logical_replication_slot",
    "pg_create_physical_replication_slot",
    "pg_replication_origin_advance",
    "pg_replication_origin_create",
    "pg_replication_origin_drop",
    "pg_replication_origin_session_reset",
    "pg_replication_origin_session_setup",
    "pg_replication_origin_xact_reset",
    "pg_replication_origin_xact_setup",
    "pg_sync_replication_slots",
    "pg_wal_replay_pause",
    "pg_wal_replay_resume",
];

/// Functions that change how the server runs.
pub(super) const SERVER: &[&str] = &[
    "pg_backup_start",
    "pg_backup_stop",
    "pg_promote",
    "pg_reload_conf",
    "pg_rotate_logfile",
    "pg_rotate_logfile_old",
];

/// Functions that make the server do upkeep.
pub(super) const UPKEEP: &[&str] = &[
    "brin_desummarize_range",
    "brin_summarize_new_values",
    "brin_summarize_range",
    "gin_clean_pending_list",
    "pg_clear_attribute_stats",
    "pg_clear_relation_stats",
    "pg_create_restore_point",
    "pg_export_snapshot",
    "pg_import_system_collations",
    "pg_log_backend_memory_contexts",
    "pg_log_standby_snapshot",
    "pg_restore_attribute_stats",
    "pg_restore_relation_stats",
    "pg_switch_wal",
];

/// Operators that are built in, and `!=`, which stands for `<>`.
#[rustfmt::skip]
pub(super) const OPERATORS: &[&str] = &[
    "!!", "!=", "!~", "!~*", "!~~", "!~~*", "#", "##", "#-", "#>", "#>>", "%", "&", "&&", "&<",
    "&<|", "&>", "*", "*<", "*<=", "*<>", "*=", "*>", "*>=", "+", "-", "->", "->>", "-|-", "/",
    "<", "<->", "<<", "<<=", "<<|", "<=", "<>", "<@", "<^", "=", ">", ">=", ">>", ">>=", ">^",
    "?", "?#", "?&", "?-", "?-|", "?|", "?||", "@", "@-@", "@>", "@?", "@@", "@@@", "^", "^@",
    "|", "|&>", "|/", "|>>", "||", "||/", "~", "~*", "~<=~", "~<~", "~=", "~>=~", "~>~", "~~",
    "~~*",
];

/// Types that are built in.
#[rustfmt::skip]
pub(super) const TYPES: &[&str] = &[
    "_bool", "_bytea", "_char", "_date", "_float4", "_float8", "_int2", "_int4", "_int8", "_json",
    "_jsonb", "_name", "_numeric", "_oid", "_regtype", "_text", "_time", "_timestamp",
    "_timestamptz", "_uuid", "_varchar", "aclitem", "any", "anyarray", "anyelement", "bit",
    "bool", "box", "bpchar", "bytea", "char", "cid", "cidr", "circle", "cstring", "date",
    "datemultirange", "daterange", "float4", "float8", "inet", "int2", "int2vector", "int4",
    "int4multirange", "int4range", "int8", "int8multirange", "int8range", "interval", "json",
    "jsonb", "jsonpath", "line", "lseg", "macaddr", "macaddr8", "money", "name", "numeric",
    "nummultirange", "numrange", "oid", "oid8", "oidvector", "path", "pg_lsn", "pg_node_tree",
    "pg_snapshot", "point", "polygon", "record", "refcursor", "regclass", "regcollation",
    "regconfig", "regdatabase", "regdictionary", "regnamespace", "regoper", "regoperator",
    "regproc", "regprocedure", "regrole", "regtype", "text", "tid", "time", "timestamp",
    "timestamptz", "timetz", "tsmultirange", "tsquery", "tsrange", "tstzmultirange", "tstzrange",
    "tsvector", "txid_snapshot", "unknown", "uuid", "varbit", "varchar", "void", "xid", "xid8",
    "xml",
];

/// Whether an operator class is built in.
pub(super) fn is_operator_class(name: &str) -> bool {
    OPERATOR_CLASSES.binary_search(&name).is_ok()
}

/// Ways to store rows and indexes that are built in.
pub(super) const ACCESS_METHODS: &[&str] = &["heap", "btree", "hash", "gist", "gin", "spgist", "brin"];

/// Names that stand for an integer type with a sequence.
pub(super) const SERIAL: &[&str] =
    &["bigserial", "serial", "serial2", "serial4", "serial8", "smallserial"];

/// Operator classes that are built in.
#[rustfmt::skip]
const OPERATOR_CLASSES: &[&str] = &[
    "aclitem_ops", "array_ops", "bit_minmax_ops", "bit_ops", "bool_ops", "box_inclusion_ops",
    "box_ops", "bpchar_bloom_ops", "bpchar_minmax_ops", "bpchar_ops", "bpchar_pattern_ops",
    "bytea_bloom_ops", "bytea_minmax_ops", "bytea_ops", "char_bloom_ops", "char_minmax_ops",
    "char_ops", "cid_ops", "cidr_ops", "circle_ops", "date_bloom_ops", "date_minmax_multi_ops",
    "date_minmax_ops", "date_ops", "enum_ops", "float4_bloom_ops", "float4_minmax_multi_ops",
    "float4_minmax_ops", "float4_ops", "float8_bloom_ops", "float8_minmax_multi_ops",
    "float8_minmax_ops", "float8_ops", "inet_bloom_ops", "inet_inclusion_ops",
    "inet_minmax_multi_ops", "inet_minmax_ops", "inet_ops", "int2_bloom_ops",
    "int2_minmax_multi_ops", "int2_minmax_ops", "int2_ops", "int4_bloom_ops",
    "int4_minmax_multi_ops", "int4_minmax_ops", "int4_ops", "int8_bloom_ops",
    "int8_minmax_multi_ops", "int8_minmax_ops", "int8_ops", "interval_bloom_ops",
    "interval_minmax_multi_ops", "interval_minmax_ops", "interval_ops", "jsonb_ops",
    "jsonb_path_ops", "kd_point_ops", "macaddr8_bloom_ops", "macaddr8_minmax_multi_ops",
    "macaddr8_minmax_ops", "macaddr8_ops", "macaddr_bloom_ops", "macaddr_minmax_multi_ops",
    "macaddr_minmax_ops", "macaddr_ops", "money_ops", "multirange_ops", "name_bloom_ops",
    "name_minmax_ops", "name_ops", "numeric_bloom_ops", "numeric_minmax_multi_ops",
    "numeric_minmax_ops", "numeric_ops", "oid_bloom_ops", "oid_minmax_multi_ops",
    "oid_minmax_ops", "oid_ops", "oidvector_ops", "pg_lsn_bloom_ops", "pg_lsn_minmax_multi_ops",
    "pg_lsn_minmax_ops", "pg_lsn_ops", "point_ops", "poly_ops", "quad_point_ops",
    "range_inclusion_ops", "range_ops", "record_image_ops", "record_ops", "text_bloom_ops",
    "text_minmax_ops", "text_ops", "text_pattern_ops", "tid_bloom_ops", "tid_minmax_multi_ops",
    "tid_minmax_ops", "tid_ops", "time_bloom_ops", "time_minmax_multi_ops", "time_minmax_ops",
    "time_ops", "timestamp_bloom_ops", "timestamp_minmax_multi_ops", "timestamp_minmax_ops",
    "timestamp_ops", "timestamptz_bloom_ops", "timestamptz_minmax_multi_ops",
    "timestamptz_minmax_ops", "timestamptz_ops", "timetz_bloom_ops", "timetz_minmax_multi_ops",
    "timetz_minmax_ops", "timetz_ops", "tsquery_ops", "tsvector_ops", "uuid_bloom_ops",
    "uuid_minmax_multi_ops", "uuid_minmax_ops", "uuid_ops", "varbit_minmax_ops", "varbit_ops",
    "varchar_ops", "varchar_pattern_ops", "xid8_ops", "xid_ops",
];

/// Relations of `pg_catalog`.
#[rustfmt::skip]
pub(super) const RELATIONS: &[&str] = &[
    "pg_aggregate", "pg_aios", "pg_am", "pg_amop", "pg_amproc", "pg_attrdef", "pg_attribute",
    "pg_auth_members", "pg_authid", "pg_available_extension_versions", "pg_available_extensions",
    "pg_backend_memory_contexts", "pg_cast", "pg_class", "pg_collation", "pg_config",
    "pg_constraint", "pg_conversion", "pg_cursors", "pg_database", "pg_db_role_setting",
    "pg_default_acl", "pg_depend", "pg_description", "pg_enum", "pg_event_trigger",
    "pg_extension", "pg_file_settings", "pg_foreign_data_wrapper", "pg_foreign_server",
    "pg_foreign_table", "pg_group", "pg_hba_file_rules", "pg_ident_file_mappings", "pg_index",
    "pg_indexes", "pg_inherits", "pg_init_privs", "pg_language", "pg_largeobject",
    "pg_largeobject_metadata", "pg_locks", "pg_matviews", "pg_namespace", "pg_opclass",
    "pg_operator", "pg_opfamily", "pg_parameter_acl", "pg_partitioned_table", "pg_policies",
    "pg_policy", "pg_prepared_statements", "pg_prepared_xacts", "pg_proc", "pg_publication",
    "pg_publication_namespace", "pg_publication_rel", "pg_publication_tables", "pg_range",
    "pg_replication_origin", "pg_replication_origin_status", "pg_replication_slots", "pg_rewrite",
    "pg_roles", "pg_rules", "pg_seclabel", "pg_seclabels", "pg_sequence", "pg_sequences",
    "pg_settings", "pg_shadow", "pg_shdepend", "pg_shdescription", "pg_shmem_allocations",
    "pg_shmem_allocations_numa", "pg_shseclabel", "pg_stat_activity", "pg_stat_all_indexes",
    "pg_stat_all_tables", "pg_stat_archiver", "pg_stat_bgwriter", "pg_stat_checkpointer",
    "pg_stat_database", "pg_stat_database_conflicts", "pg_stat_gssapi", "pg_stat_io",
    "pg_stat_progress_analyze", "pg_stat_progress_basebackup", "pg_stat_progress_cluster",
    "pg_stat_progress_copy", "pg_stat_progress_create_index", "pg_stat_progress_vacuum",
    "pg_stat_recovery_prefetch", "pg_stat_replication", "pg_stat_replication_slots",
    "pg_stat_slru", "pg_stat_ssl", "pg_stat_subscription", "pg_stat_subscription_stats",
    "pg_stat_sys_indexes", "pg_stat_sys_tables", "pg_stat_user_functions", "pg_stat_user_indexes",
    "pg_stat_user_tables", "pg_stat_wal", "pg_stat_wal_receiver", "pg_stat_xact_all_tables",
    "pg_stat_xact_sys_tables", "pg_stat_xact_user_functions", "pg_stat_xact_user_tables",
    "pg_statio_all_indexes", "pg_statio_all_sequences", "pg_statio_all_tables",
    "pg_statio_sys_indexes", "pg_statio_sys_sequences", "pg_statio_sys_tables",
    "pg_statio_user_indexes", "pg_statio_user_sequences", "pg_statio_user_tables", "pg_statistic",
    "pg_statistic_ext", "pg_statistic_ext_data", "pg_stats", "pg_stats_ext", "pg_stats_ext_exprs",
    "pg_subscription", "pg_subscription_rel", "pg_tables", "pg_tablespace", "pg_timezone_abbrevs",
    "pg_timezone_names", "pg_transform", "pg_trigger", "pg_ts_config", "pg_ts_config_map",
    "pg_ts_dict", "pg_ts_parser", "pg_ts_template", "pg_type", "pg_user", "pg_user_mapping",
    "pg_user_mappings", "pg_views", "pg_wait_events",
];

/// Functions that only compute, or read what this session may see anyway.
#[rustfmt::skip]
pub(super) const FUNCTIONS: &[&str] = &[
    "abs", "aclexplode", "acos", "acosd", "acosh", "age", "any_value", "area", "array_agg",
    "array_append", "array_cat", "array_dims", "array_fill", "array_length", "array_lower",
    "array_ndims", "array_position", "array_positions", "array_prepend", "array_remove",
    "array_replace", "array_reverse", "array_sample", "array_shuffle", "array_sort",
    "array_to_json", "array_to_string", "array_to_tsvector", "array_upper", "arraycontains",
    "arrayoverlap", "ascii", "asin", "asind", "asinh", "atan", "atan2", "atan2d", "atand",
    "atanh", "avg", "bit", "bit_and", "bit_count", "bit_length", "bit_or", "bit_xor", "bool",
    "bool_and", "bool_or", "bound_box", "box", "bpchar", "broadcast", "btrim", "cardinality",
    "casefold", "cbrt", "ceil", "ceiling", "center", "char", "char_length", "character_length",
    "chr", "cidr", "clock_timestamp", "coalesce", "col_description", "concat", "concat_ws",
    "convert", "convert_from", "convert_to", "corr", "cos", "cosd", "cosh", "cot", "cotd",
    "count", "covar_pop", "covar_samp", "crc32", "crc32c", "cume_dist", "current_database",
    "current_query", "current_schema", "current_schemas", "current_setting", "current_user",
    "currval", "date", "date_add", "date_bin", "date_part", "date_subtract", "date_trunc",
    "datemultirange", "daterange", "decode", "degrees", "dense_rank", "diagonal", "diameter",
    "div", "encode", "enum_first", "enum_last", "enum_range", "erf", "erfc", "every", "exp",
    "extract", "factorial", "family", "first_value", "float4", "float8", "floor", "format",
    "format_type", "gamma", "gcd", "gen_random_uuid", "generate_series", "generate_subscripts",
    "get_bit", "get_byte", "get_current_ts_config", "getdatabaseencoding", "greatest", "grouping",
    "has_any_column_privilege", "has_column_privilege", "has_database_privilege",
    "has_foreign_data_wrapper_privilege", "has_function_privilege", "has_language_privilege",
    "has_largeobject_privilege", "has_parameter_privilege", "has_schema_privilege",
    "has_sequence_privilege", "has_server_privilege", "has_table_privilege",
    "has_tablespace_privilege", "has_type_privilege", "hashtext", "hashtextextended", "height",
    "host", "hostmask", "icu_unicode_version", "inet_client_addr", "inet_client_port",
    "inet_merge", "inet_same_family", "inet_server_addr", "inet_server_port", "initcap", "int2",
    "int4", "int4multirange", "int4range", "int8", "int8multirange", "int8range", "interval",
    "is_normalized", "isclosed", "isempty", "isfinite", "ishorizontal", "isopen", "isparallel",
    "isperp", "isvertical", "json_agg", "json_agg_strict", "json_array_elements",
    "json_array_elements_text", "json_array_length", "json_build_array", "json_build_object",
    "json_each", "json_each_text", "json_exists", "json_extract_path", "json_extract_path_text",
    "json_object", "json_object_agg", "json_object_agg_strict", "json_object_agg_unique",
    "json_object_agg_unique_strict", "json_object_keys", "json_populate_record",
    "json_populate_recordset", "json_query", "json_scalar", "json_serialize", "json_strip_nulls",
    "json_to_record", "json_to_recordset", "json_to_tsvector", "json_typeof", "json_value",
    "jsonb_agg", "jsonb_agg_strict", "jsonb_array_elements", "jsonb_array_elements_text",
    "jsonb_array_length", "jsonb_build_array", "jsonb_build_object", "jsonb_concat",
    "jsonb_contains", "jsonb_each", "jsonb_each_text", "jsonb_exists", "jsonb_extract_path",
    "jsonb_extract_path_text", "jsonb_insert", "jsonb_object", "jsonb_object_agg",
    "jsonb_object_agg_strict", "jsonb_object_agg_unique", "jsonb_object_agg_unique_strict",
    "jsonb_object_keys", "jsonb_path_exists", "jsonb_path_exists_tz", "jsonb_path_match",
    "jsonb_path_match_tz", "jsonb_path_query", "jsonb_path_query_array",
    "jsonb_path_query_array_tz", "jsonb_path_query_first", "jsonb_path_query_first_tz",
    "jsonb_path_query_tz", "jsonb_populate_record", "jsonb_populate_recordset", "jsonb_pretty",
    "jsonb_set", "jsonb_set_lax", "jsonb_strip_nulls", "jsonb_to_record", "jsonb_to_recordset",
    "jsonb_to_tsvector", "jsonb_typeof", "justify_days", "justify_hours", "justify_interval",
    "lag", "last_value", "lastval", "lcm", "lead", "least", "left", "length", "lgamma", "like",
    "like_escape", "line", "ln", "lo_close", "lo_lseek", "lo_lseek64", "lo_tell", "lo_tell64",
    "log", "log10", "lower", "lower_inc", "lower_inf", "lpad", "lseg", "ltrim", "macaddr",
    "macaddr8", "macaddr8_set7bit", "make_date", "make_interval", "make_time", "make_timestamp",
    "make_timestamptz", "masklen", "max", "md5", "merge_action", "min", "min_scale", "mod",
    "mode", "money", "multirange", "name", "netmask", "network", "normalize", "now", "npoints",
    "nth_value", "ntile", "nullif", "num_nonnulls", "num_nulls", "numeric", "nummultirange",
    "numnode", "numrange", "obj_description", "octet_length", "oid", "overlaps", "overlay",
    "parse_ident", "path", "percent_rank", "percentile_cont", "percentile_disc",
    "pg_advisory_unlock", "pg_advisory_unlock_all", "pg_advisory_unlock_shared",
    "pg_available_extension_versions", "pg_available_extensions", "pg_available_wal_summaries",
    "pg_backend_pid", "pg_basetype", "pg_blocking_pids", "pg_char_to_encoding",
    "pg_client_encoding", "pg_collation_actual_version", "pg_collation_for",
    "pg_collation_is_visible", "pg_column_compression", "pg_column_is_updatable",
    "pg_column_size", "pg_column_toast_chunk_id", "pg_conf_load_time", "pg_control_checkpoint",
    "pg_control_init", "pg_control_recovery", "pg_control_system", "pg_conversion_is_visible",
    "pg_current_snapshot", "pg_current_wal_flush_lsn", "pg_current_wal_insert_lsn",
    "pg_current_wal_lsn", "pg_current_xact_id", "pg_current_xact_id_if_assigned", "pg_cursor",
    "pg_database_collation_actual_version", "pg_database_size", "pg_describe_object",
    "pg_encoding_max_length", "pg_encoding_to_char", "pg_extension_update_paths",
    "pg_filenode_relation", "pg_function_is_visible", "pg_get_acl", "pg_get_constraintdef",
    "pg_get_expr", "pg_get_function_arg_default", "pg_get_function_arguments",
    "pg_get_function_identity_arguments", "pg_get_function_result", "pg_get_function_sqlbody",
    "pg_get_functiondef", "pg_get_indexdef", "pg_get_keywords", "pg_get_loaded_modules",
    "pg_get_object_address", "pg_get_partition_constraintdef", "pg_get_partkeydef",
    "pg_get_publication_tables", "pg_get_replica_identity_index", "pg_get_replication_slots",
    "pg_get_ruledef", "pg_get_serial_sequence", "pg_get_statisticsobjdef",
    "pg_get_statisticsobjdef_columns", "pg_get_statisticsobjdef_expressions", "pg_get_triggerdef",
    "pg_get_userbyid", "pg_get_viewdef", "pg_get_wal_replay_pause_state", "pg_has_role",
    "pg_identify_object", "pg_identify_object_as_address", "pg_index_column_has_property",
    "pg_index_has_property", "pg_indexam_has_property", "pg_indexam_progress_phasename",
    "pg_indexes_size", "pg_is_in_recovery",
    "pg_is_other_temp_schema", "pg_is_wal_replay_paused", "pg_jit_available",
    "pg_last_committed_xact", "pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn",
    "pg_last_xact_replay_timestamp", "pg_listening_channels", "pg_lock_status", "pg_lsn",
    "pg_mcv_list_items", "pg_my_temp_schema", "pg_notification_queue_usage",
    "pg_opclass_is_visible", "pg_operator_is_visible", "pg_opfamily_is_visible",
    "pg_options_to_table", "pg_partition_ancestors", "pg_partition_root", "pg_partition_tree",
    "pg_postmaster_start_time", "pg_prepared_statement", "pg_relation_filenode",
    "pg_relation_filepath", "pg_relation_is_publishable", "pg_relation_is_updatable",
    "pg_relation_size", "pg_replication_origin_oid", "pg_safe_snapshot_blocking_pids",
    "pg_sequence_last_value", "pg_sequence_parameters", "pg_settings_get_flags",
    "pg_size_bytes", "pg_size_pretty", "pg_sleep", "pg_sleep_for",
    "pg_sleep_until", "pg_snapshot_xip", "pg_snapshot_xmax", "pg_snapshot_xmin",
    "pg_split_walfile_name", "pg_stat_clear_snapshot", "pg_stat_force_next_flush",
    "pg_stat_get_backend_idset", "pg_stat_get_backend_pid", "pg_stat_get_dead_tuples",
    "pg_stat_get_last_analyze_time", "pg_stat_get_last_autoanalyze_time",
    "pg_stat_get_last_autovacuum_time", "pg_stat_get_last_vacuum_time", "pg_stat_get_live_tuples",
    "pg_stat_get_mod_since_analyze", "pg_stat_get_numscans", "pg_stat_have_stats",
    "pg_statistics_obj_is_visible", "pg_table_is_visible", "pg_table_size",
    "pg_tablespace_databases", "pg_tablespace_location", "pg_tablespace_size",
    "pg_timezone_abbrevs", "pg_timezone_names", "pg_total_relation_size", "pg_trigger_depth",
    "pg_ts_config_is_visible", "pg_ts_dict_is_visible", "pg_ts_parser_is_visible",
    "pg_ts_template_is_visible", "pg_type_is_visible", "pg_typeof", "pg_visible_in_snapshot",
    "pg_wal_lsn_diff", "pg_walfile_name", "pg_walfile_name_offset", "pg_xact_commit_timestamp",
    "pg_xact_status", "phraseto_tsquery", "pi", "plainto_tsquery", "point", "polygon", "position",
    "pow", "power", "querytree", "quote_ident", "quote_literal", "quote_nullable", "radians",
    "radius", "random", "random_normal", "range_agg", "range_intersect", "range_intersect_agg",
    "range_merge", "rank", "regclass", "regexp_count", "regexp_instr", "regexp_like",
    "regexp_match", "regexp_matches", "regexp_replace", "regexp_split_to_array",
    "regexp_split_to_table", "regexp_substr", "regr_avgx", "regr_avgy", "regr_count",
    "regr_intercept", "regr_r2", "regr_slope", "regr_sxx", "regr_sxy", "regr_syy", "repeat",
    "replace", "reverse", "right", "round", "row_number", "row_security_active", "row_to_json",
    "rpad", "rtrim", "scale", "session_user", "set_bit", "set_byte", "set_masklen", "setseed",
    "setweight", "sha224", "sha256", "sha384", "sha512", "shobj_description", "sign",
    "similar_escape", "similar_to_escape", "sin", "sind", "sinh", "slope", "split_part", "sqrt",
    "starts_with", "statement_timestamp", "stddev", "stddev_pop", "stddev_samp", "string_agg",
    "string_to_array", "string_to_table", "strip", "strpos", "substr", "substring", "sum",
    "system_user", "tan", "tand", "tanh", "text", "textcat", "time", "timeofday", "timestamp",
    "timestamptz", "timetz", "timezone", "to_ascii", "to_bin", "to_char", "to_date", "to_hex",
    "to_json", "to_jsonb", "to_number", "to_oct", "to_regclass", "to_regcollation",
    "to_regnamespace", "to_regoper", "to_regoperator", "to_regproc", "to_regprocedure",
    "to_regrole", "to_regtype", "to_regtypemod", "to_timestamp", "to_tsquery", "to_tsvector",
    "transaction_timestamp", "translate", "trim_array", "trim_scale", "trunc", "ts_debug",
    "ts_delete", "ts_filter", "ts_headline", "ts_lexize", "ts_parse", "ts_rank", "ts_rank_cd",
    "ts_token_type", "tsmultirange", "tsquery_phrase", "tsrange", "tstzmultirange", "tstzrange",
    "tsvector_to_array", "txid_current", "txid_current_if_assigned", "txid_current_snapshot",
    "txid_snapshot_xip", "txid_snapshot_xmax", "txid_snapshot_xmin", "txid_status",
    "txid_visible_in_snapshot", "unicode_assigned", "unicode_version", "unistr", "unnest",
    "upper", "upper_inc", "upper_inf", "uuid_extract_timestamp", "uuid_extract_version", "uuidv4",
    "uuidv7", "var_pop", "var_samp", "varbit", "varchar", "variance", "version",
    "websearch_to_tsquery", "width", "width_bucket", "xid", "xml", "xml_is_well_formed",
    "xml_is_well_formed_content", "xml_is_well_formed_document", "xmlagg", "xmlcomment",
    "xmlconcat", "xmlelement", "xmlexists", "xmlforest", "xmlparse", "xmlpi", "xmlroot",
    "xmltext", "xpath", "xpath_exists",
];

/// The lists that are searched by halving.
#[cfg(test)]
pub(super) const SORTED: [&[&str]; 6] =
    [OPERATORS, TYPES, RELATIONS, FUNCTIONS, OPERATOR_CLASSES, SUPPORT];
