"""Incidents: one open row per code and subject, counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payouts.store.incidents import close_incident, open_incidents, report_incident

if TYPE_CHECKING:
    from payouts.store.engine import Database


def test_the_same_fact_twice_is_one_incident_that_counts(database: Database) -> None:
    with database.unit() as unit:
        for severity in (3, 2, 3):
            report_incident(
                unit, code="E_SAME", severity=severity, subject="itm_1", detail=f"seen {severity}"
            )
        report_incident(unit, code="E_SAME", severity=1, subject="itm_2", detail="another")

    with database.reading() as connection:
        found = [i for i in open_incidents(connection) if i.code == "E_SAME"]
    assert [(i.subject, i.times, i.severity, i.detail) for i in found] == [
        ("itm_2", 1, 1, "another"),
        ("itm_1", 3, 2, "seen 3"),
    ]


def test_a_closed_incident_opens_anew(database: Database) -> None:
    with database.unit() as unit:
        report_incident(unit, code="E_AGAIN", severity=2, subject="itm_3", detail="once")
    with database.unit() as unit:
        (first,) = [i for i in open_incidents(unit) if i.code == "E_AGAIN"]
        assert close_incident(unit, first.id, actor="person:ada")
        assert not close_incident(unit, first.id, actor="person:ada")
        report_incident(unit, code="E_AGAIN", severity=2, subject="itm_3", detail="twice")
        (second,) = [i for i in open_incidents(unit) if i.code == "E_AGAIN"]
    assert second.id != first.id
    assert second.times == 1
