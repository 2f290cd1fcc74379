"""Statistics of evaluations: intervals, tests between systems. Pure functions of numbers."""
