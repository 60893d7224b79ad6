"""The audit: joins claims, probes and models under a budget, and says what to do."""

from hardlimit.audit.document import AuditReport, Exhibit, LabSection, LimitReport, Published

__all__ = ["AuditReport", "Exhibit", "LabSection", "LimitReport", "Published"]
