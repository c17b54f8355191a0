"""What a log says about the rules of security groups: which nobody needed, and how narrow the others could be.

::

    requests     the accepted requests of a log, once each, and what refuses such a log
    credit       which rules allowed which requests
    unused       rules without evidence, and rules that others make redundant
    narrower     narrower rules in the place of wide ones
    suggested    the suggestions as a table, proved by a replay of the log
"""

from flowlens.advice.suggested import suggest_rules
from flowlens.advice.unused import unused_rules

__all__ = ["suggest_rules", "unused_rules"]
