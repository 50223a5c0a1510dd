"""The record: vocabulary, verdict, ledger and reports."""
