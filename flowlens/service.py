"""Names of ports, protocols and TCP flags."""

from __future__ import annotations

import socket
from functools import cache

__all__ = [
    "ACK", "FIN", "ICMP", "ICMPV6", "PROTOCOLS", "RST", "SYN", "TCP", "UDP", "port_number", "protocol_name",
    "protocol_number", "service_names",
]  # fmt: skip

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58

#: Bits of the field tcp-flags: https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
FIN, SYN, RST, ACK = 1, 2, 4, 16

#: https://www.iana.org/assignments/protocol-numbers: those that are in use
PROTOCOLS = {
    "ICMP": 1, "IGMP": 2, "IPv4": 4, "TCP": 6, "EGP": 8, "IGP": 9, "UDP": 17, "DCCP": 33, "IPv6": 41, "RSVP": 46,
    "GRE": 47, "ESP": 50, "AH": 51, "SKIP": 57, "ICMPv6": 58, "EIGRP": 88, "OSPF": 89, "IPIP": 94, "ETHERIP": 97,
    "ENCAP": 98, "PIM": 103, "IPComp": 108, "VRRP": 112, "L2TP": 115, "SCTP": 132, "FC": 133, "UDPLite": 136,
    "MPLS-in-IP": 137, "HIP": 139, "Shim6": 140, "WESP": 141, "ROHC": 142, "Ethernet": 143,
}  # fmt: skip

# Names in daily use, where the IANA list spells them differently (RDP is its ms-wbt-server, DNS its domain) or gives
# the port to something that nobody runs (9092, 9200). They come first.
_DAILY = {
    "ssh": 22, "telnet": 23, "smtp": 25, "dns": 53, "http": 80, "pop3": 110, "ntp": 123, "imap": 143, "ldap": 389,
    "https": 443, "smb": 445, "syslog": 514, "ldaps": 636, "dns-tls": 853, "mssql": 1433, "oracle": 1521,
    "mqtt": 1883, "nfs": 2049, "zookeeper": 2181, "docker": 2375, "docker-tls": 2376, "etcd": 2379,
    "etcd-peer": 2380, "mysql": 3306, "rdp": 3389, "stun": 3478, "postgresql": 5432, "redshift": 5439, "vnc": 5900,
    "winrm": 5985, "winrm-https": 5986, "redis": 6379, "kubernetes": 6443, "cassandra": 9042, "mqtt-tls": 8883,
    "https-alt": 8443, "http-alt": 8080, "consul": 8500, "prometheus": 9090, "kafka": 9092, "kafka-tls": 9094,
    "node-exporter": 9100, "elasticsearch": 9200, "elasticsearch-peer": 9300, "kubelet": 10250, "memcached": 11211,
    "mongodb": 27017, "wireguard": 51820, "vxlan": 4789, "geneve": 6081, "kms": 1688,
}  # fmt: skip

#: Other spellings that are understood.
_SPELLINGS = {"domain": 53, "postgres": 5432, "microsoft-ds": 445, "ms-wbt-server": 3389, "ms-sql-s": 1433}

# Of the IANA list what Debian's netbase takes from it: that which is used in the real world.
# https://www.iana.org/assignments/service-names-port-numbers, https://salsa.debian.org/md/netbase
_REGISTERED = """
tcpmux 1  echo 7  discard 9  systat 11  daytime 13  netstat 15  qotd 17  chargen 19  ftp-data 20  ftp 21  time 37
whois 43  tacacs 49  bootps 67  bootpc 68  tftp 69  gopher 70  finger 79  kerberos 88  iso-tsap 102  acr-nema 104
sunrpc 111  auth 113  nntp 119  epmap 135  netbios-ns 137  netbios-dgm 138  netbios-ssn 139  snmp 161  snmp-trap 162
cmip-man 163  cmip-agent 164  mailq 174  xdmcp 177  bgp 179  smux 199  qmtp 209  z3950 210  ipx 213  ptp-event 319
ptp-general 320  pawserv 345  zserv 346  rpc2portmap 369  codaauth2 370  clearcase 371  svrloc 427  snpp 444
kpasswd 464  submissions 465  saft 487  isakmp 500  exec 512  login 513  printer 515  talk 517  ntalk 518  route 520
gdomap 538  uucp 540  klogin 543  kshell 544  dhcpv6-client 546  dhcpv6-server 547  afpovertcp 548  rtsp 554
nntps 563  submission 587  nqs 607  asf-rmcp 623  qmqp 628  ipp 631  ldp 646  tinc 655  silc 706  kerberos-adm 749
rsync 873  ftps-data 989  ftps 990  telnets 992  imaps 993  pop3s 995  socks 1080  proofd 1093  rootd 1094
rmiregistry 1099  openvpn 1194  lotusnote 1352  ms-sql-m 1434  ingreslock 1524  datametrics 1645  sa-msg-port 1646
kermit 1649  groupwise 1677  l2f 1701  radius 1812  radius-acct 1813  cisco-sccp 2000  gnunet 2086  rtcm-sc104 2101
gsigatekeeper 2119  gris 2135  cvspserver 2401  venus 2430  venus-se 2431  codasrv 2432  codasrv-se 2433  mon 2583
dict 2628  f5-globalsite 2792  gsiftp 2811  gpsd 2947  gds-db 3050  icpv2 3130  isns 3205  iscsi-target 3260  nut 3493
distcc 3632  daap 3689  svn 3690  suucp 4031  sysrqd 4094  sieve 4190  f5-iquery 4353  epmd 4369  remctl 4373
ntske 4460  ipsec-nat-t 4500  iax 4569  mtn 4691  radmin-port 4899  sip 5060  sip-tls 5061  xmpp-client 5222
xmpp-server 5269  cfengine 5308  mdns 5353  freeciv 5556  amqps 5671  amqp 5672  x11 6000  x11-1 6001  x11-2 6002
x11-3 6003  x11-4 6004  x11-5 6005  x11-6 6006  x11-7 6007  gnutella-svc 6346  gnutella-rtr 6347  sge-qmaster 6444
sge-execd 6445  mysql-proxy 6446  babel 6696  ircs-u 6697  bbs 7000  afs3-callback 7001  afs3-prserver 7002
afs3-vlserver 7003  afs3-kaserver 7004  afs3-volser 7005  afs3-bos 7007  afs3-update 7008  afs3-rmtsys 7009
font-service 7100  puppet 8140  bacula-dir 9101  bacula-fd 9102  bacula-sd 9103  xmms2 9667  zabbix-agent 10050
zabbix-trapper 10051  amanda 10080  nbd 10809  dicom 11112  hkp 11371  db-lsp 17500  dcap 22125  gsidcap 22128
wnn6 22273
"""


@cache
def service_names() -> dict[int, str]:
    """Return the names of ports that have one, by their numbers in order."""
    words = _REGISTERED.split()
    registered = {int(port): name for name, port in zip(words[::2], words[1::2], strict=True)}
    return dict(sorted((registered | {port: name for name, port in _DAILY.items()}).items()))


@cache
def _numbers() -> dict[str, int]:
    return {name: port for port, name in service_names().items()} | _SPELLINGS


def port_number(name: str) -> int:
    """Return the port of a service.

    Raises
    ------
    ValueError
        If the name is not known.
    """
    known = _numbers().get(name.lower())
    if known is not None:
        return known
    try:
        return socket.getservbyname(name.lower())
    except OSError as error:
        raise ValueError(f"{name!r} is no service with a known port; give the number") from error


def protocol_number(protocol: str | int) -> int:
    """Return the IANA number of a protocol given by name or number.

    Raises
    ------
    ValueError
        If the name is not known, or the number not between 0 and 255.
    """
    text = str(protocol)
    numbers = {name.lower(): number for name, number in PROTOCOLS.items()}
    number = int(text) if text.isdecimal() and len(text) <= 3 else numbers.get(text.lower(), 256)
    if number > 255:
        raise ValueError(
            f"{protocol!r} is no protocol; give its IANA number or a name such as tcp, udp, icmp, icmpv6, gre or esp"
        )
    return number


def protocol_name(number: int) -> str:
    """Return the name of a protocol, or its number as text."""
    return next((name for name, known in PROTOCOLS.items() if known == number), str(number))
