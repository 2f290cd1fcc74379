"""x"""


def add(verbs):
    verbs.add_parser("rescore")


def run(arguments): ...
