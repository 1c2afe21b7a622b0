# What sealed values open with: 32 random bytes, whole or not at all, and never made again by itself. Beside the record
# of one that is gone, a new one would make that loss final.
make_host_key() {
	if [ -e $home/host.key ] || [ -e $home/host.machines ]; then return; fi
	new=$(mktemp $home/.host.key.XXXXXX)
	head -c 32 /dev/urandom >"$new"
	chmod 0400 "$new"
	sync "$new"
	ln "$new" $home/host.key 2>/dev/null || true
	rm -f "$new"
	sync $home
}
