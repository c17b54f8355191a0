"""What to do about a finding of each kind, and what ATT&CK calls it."""

from __future__ import annotations

__all__ = ["NEXT", "TECHNIQUES"]

#: A finding is no proof: each says first what would make it harmless.
NEXT = {
    "port_scan": "ask whether {source} is a scanner or a monitor of yours; if not, see which ports of {target} "
    "answered and what {source} did after that.",
    "port_sweep": "ask whether {source} takes an inventory or monitors; if not, see which hosts answered at {port} and "
    "what {source} did with them.",
    "probe": "decide whether {target} should be open to everybody at {port}; if not, narrow the rule that lets it in.",
    "brute_force": "see in the login records of {target} whether a guess from {source} was right; let only those reach "
    "{port} who need it.",
    "beacon": "find the program on {source} that calls {target}, and who runs that; updates, monitoring and "
    "keep-alives look the same. df.flow.plot.beacon(row) draws the rhythm.",
    "long_conversation": "find the program on {source} that keeps the connection to {target}; a VPN, a pool of "
    "database connections and a tunnel look the same.",
    "volume_spike": "find out what {source} sent to {target}, and whether a backup or an upload was planned then.",
    "flood": "see whether {target} still served its users, and whether a test or a release explains the load; "
    "df.flow.host({target!r}).flow.plot.timeline(values='packets') draws it.",
    "new_peer": "ask what was installed or changed on {source} at that time.",
    "lateral_movement": "see in the login records of {target} who came from {source}, and who was on {source} then.",
    "match": "read what the list says of the address and since when; if the contact was answered, find the program "
    "behind it on your host before anything else.",
    "log_gap": "see in CloudTrail whether a flow log was deleted (DeleteFlowLogs), or {interface} detached or "
    "stopped, at that time; what the log lacks then proves nothing.",
}

#: https://attack.mitre.org/techniques/enterprise/
TECHNIQUES = {
    "T1018": "Remote System Discovery",
    "T1021": "Remote Services",
    "T1021.001": "Remote Services: Remote Desktop Protocol",
    "T1021.002": "Remote Services: SMB/Windows Admin Shares",
    "T1021.003": "Remote Services: Distributed Component Object Model",
    "T1021.004": "Remote Services: SSH",
    "T1021.005": "Remote Services: VNC",
    "T1021.006": "Remote Services: Windows Remote Management",
    "T1046": "Network Service Discovery",
    "T1048": "Exfiltration Over Alternative Protocol",
    "T1071": "Application Layer Protocol",
    "T1095": "Non-Application Layer Protocol",
    "T1110.001": "Brute Force: Password Guessing",
    "T1498.001": "Network Denial of Service: Direct Network Flood",
    "T1498.002": "Network Denial of Service: Reflection Amplification",
    "T1562.008": "Impair Defenses: Disable or Modify Cloud Logs",
    "T1571": "Non-Standard Port",
    "T1572": "Protocol Tunneling",
    "T1595": "Active Scanning",
    "T1595.001": "Active Scanning: Scanning IP Blocks",
    "T1595.002": "Active Scanning: Vulnerability Scanning",
}
