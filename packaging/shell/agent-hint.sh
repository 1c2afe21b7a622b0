# $1: what starts the service, once there is a configuration.
say_how_to_begin() {
	echo 'scout-agent is installed, and starts once it has a configuration:'
	echo '  with a token of a hub:  scout-agent enroll https://ADDRESS-OF-THE-HUB'
	echo "  else write one, as in $home/config.yml.example, then: $1"
}
