"""Everything an agent may do at Google Analytics, in one list. Each subject has its module."""

from adapters.google_analytics.events import (
    create_event_create_rule,
    create_key_event,
    delete_key_event,
    list_event_create_rules,
    list_key_events,
    set_up_key_events,
)
from adapters.google_analytics.properties import (
    create_audience,
    create_custom_dimension,
    create_custom_metric,
    create_data_stream,
    get_property,
    list_data_streams,
    list_properties,
)
from adapters.google_analytics.reports import (
    batch_run_reports,
    check_compatibility,
    get_metadata,
    run_pivot_report,
    run_realtime_report,
    run_report,
)
from adapters.google_analytics.traffic import view_realtime_traffic, view_traffic

__all__ = [
    "batch_run_reports",
    "check_compatibility",
    "create_audience",
    "create_custom_dimension",
    "create_custom_metric",
    "create_data_stream",
    "create_event_create_rule",
    "create_key_event",
    "delete_key_event",
    "get_metadata",
    "get_property",
    "list_data_streams",
    "list_event_create_rules",
    "list_key_events",
    "list_properties",
    "run_pivot_report",
    "run_realtime_report",
    "run_report",
    "set_up_key_events",
    "view_realtime_traffic",
    "view_traffic",
]
