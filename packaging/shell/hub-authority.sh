# The next command is often `scout-hub token create`, and a token names the authority that the first start makes.
await_authority() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		if [ -s $home/ca.pem ] || ! grep -qs '^[^#]*--tls-self-signed' /etc/default/scout-hub; then return; fi
		sleep 0.5
	done
}
