"""Three museum records whose constant caption can be scored by hand, and their caption tasks."""

from vaserl.types import DIMENSIONS, Task

RECORDS = [
    {"Fabric": "ATHENIAN", "Technique": "BLACK-FIGURE", "Shape Name": "LEKYTHOS", "Date": "-525 to -475"},
    {"Fabric": "ATHENIAN", "Technique": "RED-FIGURE", "Shape Name": "LEKYTHOS", "Date": "-525 to -475"},
    {"Fabric": "CORINTHIAN", "Technique": "BLACK-FIGURE", "Shape Name": "KYLIX", "Attributed To": "LYDOS"},
]
TASKS = [
    Task(id=str(i), clip="", prompt="", dimensions=DIMENSIONS, record=record, reference="")
    for i, record in enumerate(RECORDS)
]
