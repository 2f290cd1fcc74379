"""x"""


def add(verbs):
    verbs.add_parser("score")


def run(arguments): ...
