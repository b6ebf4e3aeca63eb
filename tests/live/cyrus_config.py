"""The configuration files of the Cyrus servers the live tests start, and the script that is their first process."""

# Where every server sees its own directory: the mounts of each are its own, so all can have the same place.
HOME = "/srv"

_COMMON = f"""\
configdirectory: {HOME}/conf
proc_path: {HOME}/run/proc
mboxname_lockpath: {HOME}/run/lock
defaultpartition: default
partition-default: {HOME}/spool
sievedir: {HOME}/sieve
notifysocket: {HOME}/run/socket/notify
idlesocket: {HOME}/run/socket/idle
lmtpsocket: {HOME}/run/socket/lmtp
altnamespace: yes
unixhierarchysep: yes
virtdomains: no
allowplaintext: yes
admins: admin
conversations: yes
search_engine: none
httpmodules: caldav carddav jmap
jmap_nonstandard_extensions: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {HOME}/conf/sasldb2
sasl_mech_list: PLAIN LOGIN
autocreate_quota: 0
autocreate_users: anyone
autocreate_inbox_folders: Drafts|Sent|Trash|Junk|Archive
xlist-drafts: Drafts
xlist-sent: Sent
xlist-trash: Trash
xlist-junk: Junk
xlist-archive: Archive
"""

IMAPD_CONF = {
    "3.6": _COMMON,
    # The server polls for changes to push this often; its default is a minute.
    "3.12": _COMMON + "jmap_pushpoll: 1s\n",
}

# Cyrus silently skips an entry that does not stand on a line of its own.
CYRUS_CONF = f"""\
START {{{{
  recover cmd="ctl_cyrusdb -C {HOME}/imapd.conf -r"
}}}}
SERVICES {{{{
  imap cmd="imapd -C {HOME}/imapd.conf" listen="127.0.0.1:{{imap_port}}" prefork=0
  http cmd="httpd -C {HOME}/imapd.conf" listen="127.0.0.1:{{jmap_port}}" prefork=0
  lmtp cmd="lmtpd -C {HOME}/imapd.conf" listen="{HOME}/run/socket/lmtp" prefork=0
  sieve cmd="timsieved -C {HOME}/imapd.conf" listen="127.0.0.1:{{sieve_port}}" prefork=0
  notify cmd="notifyd -C {HOME}/imapd.conf" listen="{HOME}/run/socket/notify" proto="udp" prefork=1
}}}}
EVENTS {{{{
}}}}
"""

ALARMS = f"""\
DAEMON {{
  calalarmd cmd="calalarmd -C {HOME}/imapd.conf"
}}
"""

# $1 the server's directory, $2 the tree it runs in. Process 1 of its process space: it must outlive the switch to the user
# cyrus, which would shed the death signal, and pass SIGTERM on. A /dev of its own gives the server a syslog of its own.
INIT = f"""
tree=${{2%/}} home=${{2%/}}{HOME}
mount --bind "$1" "$home"
mount -t tmpfs -o mode=755 tmpfs "$home/dev"
for node in null zero random urandom; do
  : >"$home/dev/$node"
  mount --bind "/dev/$node" "$home/dev/$node"
done
mount --rbind "$home/dev" "$tree/dev"
mount -t proc proc "$tree/proc"
socat -u "UNIX-RECV:$tree/dev/log,mode=666" "OPEN:$home/syslog,creat,append" &
until [ -S "$tree/dev/log" ]; do
  kill -0 $!
  sleep 0.01
done
chroot "$tree/" /usr/sbin/cyrmaster -C {HOME}/imapd.conf -M {HOME}/cyrus.conf -p {HOME}/run/master.pid &
master=$!
trap 'kill -TERM $master' TERM
wait "$master" || wait "$master" || :
"""
