"""The journal: what was suggested, answered, sent, filled and decided, in one SQLite file.

    journal      the one writer (`Journal`)
    bookkeeper   listens to the approval broker and writes (`Bookkeeper`)
    reader       read-only, for other processes and threads (`JournalReader`)
    memory       what a restarted desk must know of its session
    schema       tables, versions, migrations
    events       names of the session events
    payload      suggestions as JSON and back, to the last bit

docs/journal.md describes the tables.
"""
