#!/bin/sh
# Installs scout-agent and scout-hub from this folder, or removes them again:
#   ./install.sh [--prefix DIR] [--uninstall]     DIR is /usr/local unless given
# As root it also brings the systemd units, the users that they run as, and /etc/scout-agent. It starts nothing, and
# needs no network. Configuration and state are never overwritten or deleted.
# shellcheck disable=SC2086 # names without spaces, and meant to be split
set -eu
umask 022
say() { echo "install.sh: $*"; }
refuse() { say "$2" >&2; exit "$1"; }
prefix=/usr/local uninstall='' root=''
while [ $# -gt 0 ]; do
	case $1 in
	--prefix) prefix=${2-}; [ $# -eq 1 ] || shift ;;
	--uninstall) uninstall=yes ;;
	*) refuse 64 "usage: $0 [--prefix DIR] [--uninstall]" ;;
	esac
	shift
done
case $prefix in
*[!A-Za-z0-9/._-]* | [!/]* | '') refuse 64 'the prefix must be an absolute path of letters, digits, dots, hyphens and underscores' ;;
esac
mkdir -p "$prefix" 2>/dev/null || true
[ -w "$prefix" ] || refuse 77 "$prefix is not writable: run it as root, or choose a --prefix of your own"
if [ "$(id -u)" = 0 ]; then root=yes; fi
cd "$(dirname "$0")"
files=$(find bin lib share -type f ! -path 'lib/sys*' ! -path 'lib/tmpfiles.d/*')
units=$(cd lib/systemd/system && ls)

if [ "$uninstall" ]; then
	if [ "$root" ] && [ -d /run/systemd/system ]; then systemctl disable --now $units 2>/dev/null || true; fi
	for unit in ${root:+$units}; do rm -f "/etc/systemd/system/$unit"; done
	if [ "$root" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
	for file in $files; do rm -f "$prefix/$file"; done
	rm -rf "$prefix/lib/scout-agent" "$prefix/share/doc/scout-agent" "$prefix/share/doc/scout-hub"
	if [ "$root" ]; then rm -f /etc/logrotate.d/scout-agent; fi
	say "removed from $prefix; /etc/scout-agent, /etc/default/scout-hub, /var/lib/scout-*, /var/log/scout-agent and the users stay"
	exit
fi

for file in $files; do
	mkdir -p "$prefix/${file%/*}"
	# Beside the old one, then in its place: what runs goes on with the old.
	cp "$file" "$prefix/$file.new" && mv -f "$prefix/$file.new" "$prefix/$file"
done
# Parts of an earlier version that this one does not have.
(cd "$prefix" && find lib/scout-agent -type f) | while read -r file; do [ -e "$file" ] || rm "$prefix/$file"; done
say "installed $prefix/bin/scout-agent and $prefix/bin/scout-hub"
[ "$root" ] || exit 0
for user in scout-agent scout-hub; do
	id $user >/dev/null 2>&1 || systemd-sysusers "$PWD/lib/sysusers.d/$user.conf" 2>/dev/null ||
		useradd --system --user-group --home-dir /var/lib/$user --no-create-home --shell /sbin/nologin $user
done
[ -d /etc/scout-agent ] || { mkdir -m 0750 /etc/scout-agent && chgrp scout-agent /etc/scout-agent; }
# Here before the first start, so that `scout-hub server add` by root makes a database that the service may use.
[ -d /var/lib/scout-hub ] || install -d -m 0700 -o scout-hub -g scout-hub /var/lib/scout-hub
mkdir -p /etc/systemd/system
for file in etc/*/*; do [ -e "/$file" ] || { mkdir -p "/${file%/*}" && cp "$file" "/$file"; }; done
for unit in $units; do sed "s|/usr/bin/scout-|$prefix/bin/scout-|" "lib/systemd/system/$unit" >"/etc/systemd/system/$unit"; done
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
say "brought the units; next: scout-agent enroll URL, or edit /etc/scout-agent/config.yml and systemctl enable --now scout-agent"
say 'after an upgrade: systemctl try-restart scout-agent scout-hub'
