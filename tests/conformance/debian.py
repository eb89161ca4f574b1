#!/usr/bin/env python3
"""
Reads every service file that well-known server packages of Debian ship, and compares with systemd (compare.py).

    debian.py [--few] PROCREF SYSTEMD_DUMP [FOLDER]   needs the network (apt-get download) and dpkg-deb; the folder keeps what was fetched

--few: a dozen packages, as in .ci/run.

Twice: as the files are, each must be accepted or refused with the key named; and with every refused key passed to --ignore, so
that the values of those are compared too.
"""
import argparse
import os
import subprocess
import sys
import tempfile

from compare import all_units, run

FEW = """postgresql-common redis-server nginx-common memcached apache2 rabbitmq-server mosquitto dovecot-core postfix bind9
    haproxy openssh-server""".split()
OTHERS = """nginx mariadb-server cups-daemon docker.io prometheus prometheus-node-exporter squid unbound dnsmasq exim4-base slapd
    samba vsftpd proftpd-core chrony ntpsec tomcat10 php8.2-fpm varnish etcd-server nfs-kernel-server influxdb knot
    pdns-server lighttpd transmission-daemon tor syncthing mpd avahi-daemon nsd opendkim spamassassin fail2ban openvpn
    strongswan-starter wireguard-tools bluez cron rsyslog qemu-guest-agent libvirt-daemon-system podman pgbouncer
    beanstalkd gearman-job-server zookeeper minidlna icecast2 coturn dbus-user-session pipewire gnupg-agent
    accountsservice acpid bird2 caddy ceph-mon clamav-daemon cockpit-ws collectd-core containerd corosync dnsmasq-base drbd-utils
    ejabberd freeradius frr fwupd glusterfs-server h2o hostapd icinga2 inspircd kea-dhcp4-server keepalived krb5-kdc lvm2 lxc mdadm
    monit multipath-tools mumble-server nats-server netdata network-manager ngircd open-iscsi openntpd opensmtpd pacemaker patroni
    pgpool2 privoxy prometheus-alertmanager prosody pulseaudio redis-sentinel rspamd shadowsocks-libev smartmontools snmpd sssd-common
    stunnel4 systemd systemd-resolved tang tarantool tgt tinyproxy tuned udisks2 uwsgi-emperor wpasupplicant zabbix-agent znc
    zoneminder""".split()


def fetch(folder, packages):
    for package in packages:
        to = os.path.join(folder, package)
        if os.path.isdir(to):
            continue
        done = subprocess.run(["apt-get", "-o", "Acquire::Retries=3", "download", "-qq", package], cwd=folder, capture_output=True)
        found = [name for name in os.listdir(folder) if name.startswith(package + "_") and name.endswith(".deb")]
        if done.returncode or not found:
            print(f"  {package}: not to be had")
            continue
        subprocess.run(["dpkg-deb", "-x", found[0], to], cwd=folder, check=True)
        os.remove(os.path.join(folder, found[0]))


def report(title, units):
    print(f"== {title}")
    accepted = compared = wrong = count = 0
    ignored = set()
    for unit in units:
        refused = sorted({f["key"] or "(file)" for f in unit.ours["findings"] if f["level"] in ("refused", "error")})
        ignored |= {f["key"] for f in unit.ours["findings"] if f["level"] == "refused" and f["key"]}
        count += 1
        accepted += unit.ours["runs"]
        compared += unit.compared
        wrong += len(unit.wrong)
        print(f"{'runs   ' if unit.ours['runs'] else 'refused'} {'/'.join(unit.source)}  {' '.join(refused)}")
        for finding in unit.ours["findings"]:
            if finding["level"] == "error":
                print(f"    error {finding['line']}: {finding['message']}")
        for line in unit.wrong:
            print(f"    DIFFERENT {line}")
    print(f"{count} units, {accepted} accepted, {count - accepted} refused; {compared} values compared, {wrong} differ")
    return wrong, ignored


def named(units, paths):
    for unit, path in zip(units, paths):
        parts = path.split("/")
        unit.source = (parts[-1],)
        yield unit


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--few", action="store_true")
    parser.add_argument("procref", type=os.path.abspath)
    parser.add_argument("dump", type=os.path.abspath)
    parser.add_argument("folder", nargs="?", type=os.path.abspath)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or temporary
        os.makedirs(folder, exist_ok=True)
        fetch(folder, FEW + ([] if options.few else OTHERS))
        paths = [path for path in all_units([folder]) if "/systemd/" in path and os.path.isfile(path) and not os.path.islink(path)]
        wrong, keys = report("as they are", named(run(options.procref, options.dump, paths), paths))
        more, _ = report("with --ignore of " + " ".join(sorted(keys)), named(run(options.procref, options.dump, paths, sorted(keys)), paths))
    if not paths:
        sys.exit("no unit was fetched: nothing was compared")
    sys.exit(1 if wrong + more else 0)


if __name__ == "__main__":
    main()
