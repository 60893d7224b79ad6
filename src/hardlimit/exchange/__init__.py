"""Other people's formats: results of evaluation harnesses, in and out."""

from hardlimit.exchange.audits import is_condition, read_report, read_store
from hardlimit.exchange.inspect_logs import read_inspect
from hardlimit.exchange.lm_eval import read_lm_eval
from hardlimit.exchange.long_table import read_csv, read_json_lines, read_parquet
from hardlimit.exchange.results import read_results

__all__ = [
    "is_condition",
    "read_csv",
    "read_inspect",
    "read_json_lines",
    "read_lm_eval",
    "read_parquet",
    "read_report",
    "read_results",
    "read_store",
]
