#!/bin/sh -e
# The engine acts of a release and nothing else: floor.sh IMAGE NEW OLD NETWORK POINTER
docker run --detach --init --restart unless-stopped --network "$4" --name "$2" "$1" >/dev/null
address=$(docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$2")
until curl --silent --fail --output /dev/null "http://$address/"; do sleep 0.02; done
echo "$2:80" >"$5.new"
mv "$5.new" "$5"
docker stop "$3" >/dev/null
docker rm "$3" >/dev/null
