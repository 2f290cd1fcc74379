"""x"""


def add(verbs):
    verbs.add_parser("audit")


def run(arguments): ...
