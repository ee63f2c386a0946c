//! The parse tree, one line for each type of node: the fields that hold other nodes, then the rest.
//!
//! Each line destructures its type completely, so a field that a later grammar adds is a compile
//! error here, and a type of node that is not listed is `opaque`. That makes the walk exhaustive by
//! construction. The types are those of PostgreSQL 18's `parsenodes.h` and `primnodes.h` that its
//! grammar can produce; what only its analysis and planner produce is left out on purpose.

use pg_query::{NodeEnum, protobuf as pb};

use super::walk::Walk;

/// A node that is harmless in itself but has others below it.
pub(super) trait Kids {
    /// Shows every node directly below this one to the walk.
    fn kids(&self, walk: &mut Walk);
}

/// Something that the walk can be shown.
pub(super) trait See {
    /// Shows itself to the walk.
    fn see(&self, walk: &mut Walk);
}

impl<T: Kids> Kids for Box<T> {
    fn kids(&self, walk: &mut Walk) {
        (**self).kids(walk);
    }
}

impl<T: See> See for Box<T> {
    fn see(&self, walk: &mut Walk) {
        (**self).see(walk);
    }
}

impl<T: See> See for Option<T> {
    fn see(&self, walk: &mut Walk) {
        if let Some(inner) = self {
            inner.see(walk);
        }
    }
}

impl<T: See> See for Vec<T> {
    fn see(&self, walk: &mut Walk) {
        self.iter().for_each(|inner| inner.see(walk));
    }
}

impl See for pb::Node {
    fn see(&self, walk: &mut Walk) {
        if let Some(node) = &self.node {
            walk.node(node);
        }
    }
}

/// Implements [`Kids`] for one type from the names of its fields.
macro_rules! kids {
    ($kind:ident [$($kid:ident)*] [$($rest:ident)*]) => {
        impl Kids for pb::$kind {
            fn kids(&self, walk: &mut Walk) {
                // Not every type has nodes below it.
                let _ = &walk;
                let Self { $($kid,)* $($rest: _,)* } = self;
                $($kid.see(walk);)*
            }
        }
    };
}

/// Lists types of node and gives the function that finds a node among them.
macro_rules! nodes {
    ($(#[$doc:meta])* $find:ident, $names:ident:
     $($variant:ident($kind:ident) [$($kid:ident)*] [$($rest:ident)*];)*) => {
        $(kids!($kind [$($kid)*] [$($rest)*]);)*

        $(#[$doc])*
        pub(super) fn $find(node: &NodeEnum) -> Option<&dyn Kids> {
            match node {
                $(NodeEnum::$variant(inner) => Some(inner),)*
                _ => None,
            }
        }

        #[cfg(test)]
        pub(super) const $names: &[&str] = &[$(stringify!($variant)),*];
    };
}

/// Types that are shown to the walk by showing what is below them.
macro_rules! plain {
    ($($kind:ident)*) => {
        $(impl See for pb::$kind {
            fn see(&self, walk: &mut Walk) {
                self.kids(walk);
            }
        })*
    };
}

/// Types that the walk has its own word on.
macro_rules! special {
    ($($kind:ident => $method:ident;)*) => {
        $(impl See for pb::$kind {
            fn see(&self, walk: &mut Walk) {
                walk.$method(self);
            }
        })*
    };
}

plain! {
    Alias JsonFormat JsonReturning JsonValueExpr JsonBehavior CollateClause RoleSpec WindowDef
    PartitionSpec PartitionBoundSpec InferClause CteSearchClause CteCycleClause ReturningClause
    JsonOutput JsonTablePathSpec JsonKeyValue JsonAggConstructor IntoClause ObjectWithArgs
    PublicationTable OnConflictClause GrantStmt VariableSetStmt CreateStmt String
}

special! {
    RangeVar => relation;
    TypeName => cast;
    FuncCall => call;
    SelectStmt => select;
    WithClause => with;
    Query => analysed;
    FuncExpr => planned;
}

nodes! {
    /// A node that does nothing by itself: only what is below it matters.
    harmless, HARMLESS:
    GroupingFunc(GroupingFunc) [xpr args refs] [agglevelsup location];
    MergeSupportFunc(MergeSupportFunc) [xpr] [msftype msfcollid location];
    NamedArgExpr(NamedArgExpr) [xpr arg] [name argnumber location];
    BoolExpr(BoolExpr) [xpr args] [boolop location];
    CaseExpr(CaseExpr) [xpr arg args defresult] [casetype casecollid location];
    CaseWhen(CaseWhen) [xpr expr result] [location];
    RowExpr(RowExpr) [xpr args colnames] [row_typeid row_format location];
    CoalesceExpr(CoalesceExpr) [xpr args] [coalescetype coalescecollid location];
    MinMaxExpr(MinMaxExpr) [xpr args] [minmaxtype minmaxcollid inputcollid op location];
    SqlvalueFunction(SqlValueFunction) [xpr] [op r#type typmod location];
    XmlExpr(XmlExpr) [xpr named_args arg_names args] [op name xmloption indent r#type typmod
        location];
    JsonFormat(JsonFormat) [] [format_type encoding location];
    JsonReturning(JsonReturning) [format] [typid typmod];
    JsonValueExpr(JsonValueExpr) [raw_expr formatted_expr format] [];
    JsonIsPredicate(JsonIsPredicate) [expr format] [item_type unique_keys location];
    JsonBehavior(JsonBehavior) [expr] [btype coerce location];
    NullTest(NullTest) [xpr arg] [nulltesttype argisrow location];
    BooleanTest(BooleanTest) [xpr arg] [booltesttype location];
    SetToDefault(SetToDefault) [xpr] [type_id type_mod collation location];
    CurrentOfExpr(CurrentOfExpr) [xpr] [cvarno cursor_name cursor_param];
    JoinExpr(JoinExpr) [larg rarg using_clause join_using_alias quals alias] [jointype is_natural
        rtindex];
    ColumnRef(ColumnRef) [fields] [location];
    ParamRef(ParamRef) [] [number location];
    TypeCast(TypeCast) [arg type_name] [location];
    CollateClause(CollateClause) [arg collname] [location];
    RoleSpec(RoleSpec) [] [roletype rolename location];
    AStar(AStar) [] [];
    AIndices(AIndices) [lidx uidx] [is_slice];
    AIndirection(AIndirection) [arg indirection] [];
    AArrayExpr(AArrayExpr) [elements] [list_start list_end location];
    ResTarget(ResTarget) [indirection val] [name location];
    MultiAssignRef(MultiAssignRef) [source] [colno ncolumns];
    WindowDef(WindowDef) [partition_clause order_clause start_offset end_offset] [name refname
        frame_options location];
    RangeSubselect(RangeSubselect) [subquery alias] [lateral];
    RangeFunction(RangeFunction) [functions alias coldeflist] [lateral ordinality is_rowsfrom];
    RangeTableFunc(RangeTableFunc) [docexpr rowexpr namespaces columns alias] [lateral location];
    RangeTableFuncCol(RangeTableFuncCol) [type_name colexpr coldefexpr] [colname for_ordinality
        is_not_null location];
    Alias(Alias) [colnames] [aliasname];
    ColumnDef(ColumnDef) [type_name raw_default cooked_default identity_sequence coll_clause
        constraints fdwoptions] [colname compression inhcount is_local is_not_null is_from_type storage
        storage_name identity generated coll_oid location];
    TableLikeClause(TableLikeClause) [relation] [options relation_oid];
    DefElem(DefElem) [arg] [defnamespace defname defaction location arg_location];
    XmlSerialize(XmlSerialize) [expr type_name] [xmloption indent location];
    PartitionSpec(PartitionSpec) [part_params] [strategy location];
    PartitionBoundSpec(PartitionBoundSpec) [listdatums lowerdatums upperdatums] [strategy is_default
        modulus remainder location];
    PartitionRangeDatum(PartitionRangeDatum) [value] [kind location];
    PartitionCmd(PartitionCmd) [name bound] [concurrent];
    GroupingSet(GroupingSet) [content] [kind location];
    InferClause(InferClause) [index_elems where_clause] [conname location];
    CtesearchClause(CteSearchClause) [search_col_list] [search_breadth_first search_seq_column
        location];
    CtecycleClause(CteCycleClause) [cycle_col_list cycle_mark_value cycle_mark_default]
        [cycle_mark_column cycle_path_column location cycle_mark_type cycle_mark_typmod
        cycle_mark_collation cycle_mark_neop];
    ReturningOption(ReturningOption) [] [option value location];
    ReturningClause(ReturningClause) [options exprs] [];
    TriggerTransition(TriggerTransition) [] [name is_new is_table];
    JsonOutput(JsonOutput) [type_name returning] [];
    JsonArgument(JsonArgument) [val] [name];
    JsonFuncExpr(JsonFuncExpr) [context_item pathspec passing output on_empty on_error] [op
        column_name wrapper quotes location];
    JsonTablePathSpec(JsonTablePathSpec) [string] [name name_location location];
    JsonTable(JsonTable) [context_item pathspec passing columns on_error alias] [lateral location];
    JsonTableColumn(JsonTableColumn) [type_name pathspec format columns on_empty on_error] [coltype
        name wrapper quotes location];
    JsonKeyValue(JsonKeyValue) [key value] [];
    JsonParseExpr(JsonParseExpr) [expr output] [unique_keys location];
    JsonScalarExpr(JsonScalarExpr) [expr output] [location];
    JsonSerializeExpr(JsonSerializeExpr) [expr output] [location];
    JsonObjectConstructor(JsonObjectConstructor) [exprs output] [absent_on_null unique location];
    JsonArrayConstructor(JsonArrayConstructor) [exprs output] [absent_on_null location];
    JsonArrayQueryConstructor(JsonArrayQueryConstructor) [query output format] [absent_on_null
        location];
    JsonAggConstructor(JsonAggConstructor) [output agg_filter agg_order over] [location];
    JsonObjectAgg(JsonObjectAgg) [constructor arg] [absent_on_null unique];
    JsonArrayAgg(JsonArrayAgg) [constructor arg] [absent_on_null];
    IntoClause(IntoClause) [rel col_names options view_query] [access_method on_commit
        table_space_name skip_data];
    CreateOpClassItem(CreateOpClassItem) [name order_family class_args storedtype] [itemtype number];
    StatsElem(StatsElem) [expr] [name];
    FunctionParameter(FunctionParameter) [arg_type defexpr] [name mode location];
    ObjectWithArgs(ObjectWithArgs) [objname objargs objfuncargs] [args_unspecified];
    AccessPriv(AccessPriv) [cols] [priv_name];
    VacuumRelation(VacuumRelation) [relation va_cols] [oid];
    PublicationTable(PublicationTable) [relation where_clause columns] [];
    PublicationObjSpec(PublicationObjSpec) [pubtable] [pubobjtype name location];
    AlterTableCmd(AlterTableCmd) [newowner def] [subtype name num behavior missing_ok recurse];
    AtalterConstraint(AtAlterConstraint) [] [conname alter_enforceability is_enforced
        alter_deferrability deferrable initdeferred alter_inheritability noinherit];
    ReplicaIdentityStmt(ReplicaIdentityStmt) [] [identity_type name];
    ReturnStmt(ReturnStmt) [returnval] [];
    OnConflictClause(OnConflictClause) [infer target_list where_clause] [action location];
    MergeWhenClause(MergeWhenClause) [condition target_list values] [match_kind command_type
        r#override];
    List(List) [items] [];
    Integer(Integer) [] [ival];
    Float(Float) [] [fval];
    Boolean(Boolean) [] [boolval];
    String(String) [] [sval];
    BitString(BitString) [] [bsval];
    AConst(AConst) [] [isnull location val];
}

kids!(RangeVar [alias] [catalogname schemaname relname inh relpersistence location]);
kids!(TypeName [names typmods array_bounds] [type_oid setof pct_type typemod location]);
kids!(AExpr [name lexpr rexpr] [kind rexpr_list_start rexpr_list_end location]);
kids!(SubLink [xpr testexpr oper_name subselect] [sub_link_type sub_link_id location]);
kids!(FuncCall [funcname args agg_order agg_filter over] [agg_within_group agg_star agg_distinct func_variadic funcformat location]);
kids!(SortBy [node use_op] [sortby_dir sortby_nulls location]);
kids!(RangeTableSample [relation method args repeatable] [location]);
kids!(LockingClause [locked_rels] [strength wait_policy]);
kids!(Constraint [raw_expr keys including exclusions options where_clause pktable fk_attrs pk_attrs fk_del_set_cols old_conpfeqop] [contype conname deferrable initdeferred is_enforced skip_validation initially_valid is_no_inherit cooked_expr generated_when generated_kind nulls_not_distinct without_overlaps indexname indexspace reset_default_tblspc access_method fk_with_period pk_with_period fk_matchtype fk_upd_action fk_del_action old_pktable_oid location]);
kids!(IndexElem [expr collation opclass opclassopts] [name indexcolname ordering nulls_ordering]);
kids!(PartitionElem [expr collation opclass] [name location]);
kids!(WithClause [ctes] [recursive location]);
kids!(CommonTableExpr [aliascolnames ctequery search_clause cycle_clause ctecolnames ctecoltypes ctecoltypmods ctecolcollations] [ctename ctematerialized location cterecursive cterefcount]);

nodes! {
    /// The nodes below a statement whose own effect has been judged.
    statement, STATEMENTS:
    InsertStmt(InsertStmt) [relation cols select_stmt on_conflict_clause returning_clause with_clause]
        [r#override];
    DeleteStmt(DeleteStmt) [relation using_clause where_clause returning_clause with_clause] [];
    UpdateStmt(UpdateStmt) [relation target_list where_clause from_clause returning_clause
        with_clause] [];
    MergeStmt(MergeStmt) [relation source_relation join_condition merge_when_clauses returning_clause
        with_clause] [];
    SelectStmt(SelectStmt) [distinct_clause into_clause target_list from_clause where_clause
        group_clause having_clause window_clause values_lists sort_clause limit_offset limit_count
        locking_clause with_clause larg rarg] [group_distinct limit_option op all];
    CreateSchemaStmt(CreateSchemaStmt) [authrole schema_elts] [schemaname if_not_exists];
    AlterTableStmt(AlterTableStmt) [relation cmds] [objtype missing_ok];
    AlterCollationStmt(AlterCollationStmt) [collname] [];
    AlterDomainStmt(AlterDomainStmt) [type_name def] [subtype name behavior missing_ok];
    GrantStmt(GrantStmt) [objects privileges grantees grantor] [is_grant targtype objtype grant_option
        behavior];
    GrantRoleStmt(GrantRoleStmt) [granted_roles grantee_roles opt grantor] [is_grant behavior];
    AlterDefaultPrivilegesStmt(AlterDefaultPrivilegesStmt) [options action] [];
    CopyStmt(CopyStmt) [relation query attlist options where_clause] [is_from is_program filename];
    VariableSetStmt(VariableSetStmt) [args] [kind name jumble_args is_local location];
    VariableShowStmt(VariableShowStmt) [] [name];
    CreateStmt(CreateStmt) [relation table_elts inh_relations partbound partspec of_typename
        constraints nnconstraints options] [oncommit tablespacename access_method if_not_exists];
    CreateTableSpaceStmt(CreateTableSpaceStmt) [owner options] [tablespacename location];
    DropTableSpaceStmt(DropTableSpaceStmt) [] [tablespacename missing_ok];
    AlterTableSpaceOptionsStmt(AlterTableSpaceOptionsStmt) [options] [tablespacename is_reset];
    AlterTableMoveAllStmt(AlterTableMoveAllStmt) [roles] [orig_tablespacename objtype
        new_tablespacename nowait];
    CreateExtensionStmt(CreateExtensionStmt) [options] [extname if_not_exists];
    AlterExtensionStmt(AlterExtensionStmt) [options] [extname];
    AlterExtensionContentsStmt(AlterExtensionContentsStmt) [object] [extname action objtype];
    CreateFdwStmt(CreateFdwStmt) [func_options options] [fdwname];
    AlterFdwStmt(AlterFdwStmt) [func_options options] [fdwname];
    CreateForeignServerStmt(CreateForeignServerStmt) [options] [servername servertype version fdwname
        if_not_exists];
    AlterForeignServerStmt(AlterForeignServerStmt) [options] [servername version has_version];
    CreateForeignTableStmt(CreateForeignTableStmt) [base_stmt options] [servername];
    CreateUserMappingStmt(CreateUserMappingStmt) [user options] [servername if_not_exists];
    AlterUserMappingStmt(AlterUserMappingStmt) [user options] [servername];
    DropUserMappingStmt(DropUserMappingStmt) [user] [servername missing_ok];
    ImportForeignSchemaStmt(ImportForeignSchemaStmt) [table_list options] [server_name remote_schema
        local_schema list_type];
    CreatePolicyStmt(CreatePolicyStmt) [table roles qual with_check] [policy_name cmd_name
        permissive];
    AlterPolicyStmt(AlterPolicyStmt) [table roles qual with_check] [policy_name];
    CreateAmStmt(CreateAmStmt) [handler_name] [amname amtype];
    CreateTrigStmt(CreateTrigStmt) [relation funcname args columns when_clause transition_rels
        constrrel] [replace isconstraint trigname row timing events deferrable initdeferred];
    CreateEventTrigStmt(CreateEventTrigStmt) [whenclause funcname] [trigname eventname];
    AlterEventTrigStmt(AlterEventTrigStmt) [] [trigname tgenabled];
    CreatePlangStmt(CreatePLangStmt) [plhandler plinline plvalidator] [replace plname pltrusted];
    CreateRoleStmt(CreateRoleStmt) [options] [stmt_type role];
    AlterRoleStmt(AlterRoleStmt) [role options] [action];
    AlterRoleSetStmt(AlterRoleSetStmt) [role setstmt] [database];
    DropRoleStmt(DropRoleStmt) [roles] [missing_ok];
    CreateSeqStmt(CreateSeqStmt) [sequence options] [owner_id for_identity if_not_exists];
    AlterSeqStmt(AlterSeqStmt) [sequence options] [for_identity missing_ok];
    DefineStmt(DefineStmt) [defnames args definition] [kind oldstyle if_not_exists replace];
    CreateDomainStmt(CreateDomainStmt) [domainname type_name coll_clause constraints] [];
    CreateOpClassStmt(CreateOpClassStmt) [opclassname opfamilyname datatype items] [amname
        is_default];
    CreateOpFamilyStmt(CreateOpFamilyStmt) [opfamilyname] [amname];
    AlterOpFamilyStmt(AlterOpFamilyStmt) [opfamilyname items] [amname is_drop];
    DropStmt(DropStmt) [objects] [remove_type behavior missing_ok concurrent];
    TruncateStmt(TruncateStmt) [relations] [restart_seqs behavior];
    CommentStmt(CommentStmt) [object] [objtype comment];
    SecLabelStmt(SecLabelStmt) [object] [objtype provider label];
    DeclareCursorStmt(DeclareCursorStmt) [query] [portalname options];
    ClosePortalStmt(ClosePortalStmt) [] [portalname];
    FetchStmt(FetchStmt) [] [direction how_many portalname ismove];
    IndexStmt(IndexStmt) [relation index_params index_including_params options where_clause
        exclude_op_names] [idxname access_method table_space idxcomment index_oid old_number
        old_create_subid old_first_relfilelocator_subid unique nulls_not_distinct primary isconstraint
        iswithoutoverlaps deferrable initdeferred transformed concurrent if_not_exists
        reset_default_tblspc];
    CreateStatsStmt(CreateStatsStmt) [defnames stat_types exprs relations] [stxcomment transformed
        if_not_exists];
    AlterStatsStmt(AlterStatsStmt) [defnames stxstattarget] [missing_ok];
    CreateFunctionStmt(CreateFunctionStmt) [funcname parameters return_type options sql_body]
        [is_procedure replace];
    AlterFunctionStmt(AlterFunctionStmt) [func actions] [objtype];
    DoStmt(DoStmt) [args] [];
    CallStmt(CallStmt) [funccall funcexpr outargs] [];
    RenameStmt(RenameStmt) [relation object] [rename_type relation_type subname newname behavior
        missing_ok];
    AlterObjectDependsStmt(AlterObjectDependsStmt) [relation object] [object_type extname remove];
    AlterObjectSchemaStmt(AlterObjectSchemaStmt) [relation object] [object_type newschema missing_ok];
    AlterOwnerStmt(AlterOwnerStmt) [relation object newowner] [object_type];
    AlterOperatorStmt(AlterOperatorStmt) [opername options] [];
    AlterTypeStmt(AlterTypeStmt) [type_name options] [];
    RuleStmt(RuleStmt) [relation where_clause actions] [rulename event instead replace];
    NotifyStmt(NotifyStmt) [] [conditionname payload payload_location];
    ListenStmt(ListenStmt) [] [conditionname];
    UnlistenStmt(UnlistenStmt) [] [conditionname];
    TransactionStmt(TransactionStmt) [options] [kind savepoint_name gid chain location];
    CompositeTypeStmt(CompositeTypeStmt) [typevar coldeflist] [];
    CreateEnumStmt(CreateEnumStmt) [type_name vals] [];
    CreateRangeStmt(CreateRangeStmt) [type_name params] [];
    AlterEnumStmt(AlterEnumStmt) [type_name] [old_val new_val new_val_neighbor new_val_is_after
        skip_if_new_val_exists];
    ViewStmt(ViewStmt) [view aliases query options] [replace with_check_option];
    LoadStmt(LoadStmt) [] [filename];
    CreatedbStmt(CreatedbStmt) [options] [dbname];
    AlterDatabaseStmt(AlterDatabaseStmt) [options] [dbname];
    AlterDatabaseRefreshCollStmt(AlterDatabaseRefreshCollStmt) [] [dbname];
    AlterDatabaseSetStmt(AlterDatabaseSetStmt) [setstmt] [dbname];
    DropdbStmt(DropdbStmt) [options] [dbname missing_ok];
    AlterSystemStmt(AlterSystemStmt) [setstmt] [];
    ClusterStmt(ClusterStmt) [relation params] [indexname];
    VacuumStmt(VacuumStmt) [options rels] [is_vacuumcmd];
    ExplainStmt(ExplainStmt) [query options] [];
    CreateTableAsStmt(CreateTableAsStmt) [query into] [objtype is_select_into if_not_exists];
    RefreshMatViewStmt(RefreshMatViewStmt) [relation] [concurrent skip_data];
    CheckPointStmt(CheckPointStmt) [] [];
    DiscardStmt(DiscardStmt) [] [target];
    LockStmt(LockStmt) [relations] [mode nowait];
    ConstraintsSetStmt(ConstraintsSetStmt) [constraints] [deferred];
    ReindexStmt(ReindexStmt) [relation params] [kind name];
    CreateConversionStmt(CreateConversionStmt) [conversion_name func_name] [for_encoding_name
        to_encoding_name def];
    CreateCastStmt(CreateCastStmt) [sourcetype targettype func] [context inout];
    CreateTransformStmt(CreateTransformStmt) [type_name fromsql tosql] [replace lang];
    PrepareStmt(PrepareStmt) [argtypes query] [name];
    ExecuteStmt(ExecuteStmt) [params] [name];
    DeallocateStmt(DeallocateStmt) [] [name isall location];
    DropOwnedStmt(DropOwnedStmt) [roles] [behavior];
    ReassignOwnedStmt(ReassignOwnedStmt) [roles newrole] [];
    AlterTsdictionaryStmt(AlterTsDictionaryStmt) [dictname options] [];
    AlterTsconfigurationStmt(AlterTsConfigurationStmt) [cfgname tokentype dicts] [kind r#override
        replace missing_ok];
    CreatePublicationStmt(CreatePublicationStmt) [options pubobjects] [pubname for_all_tables];
    AlterPublicationStmt(AlterPublicationStmt) [options pubobjects] [pubname for_all_tables action];
    CreateSubscriptionStmt(CreateSubscriptionStmt) [publication options] [subname conninfo
        conninfo_location];
    AlterSubscriptionStmt(AlterSubscriptionStmt) [publication options] [kind subname conninfo
        conninfo_location];
    DropSubscriptionStmt(DropSubscriptionStmt) [] [subname missing_ok behavior];
}
