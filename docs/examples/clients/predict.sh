#!/bin/sh
# Ask Tandem for a decision: sh predict.sh IMAGE, with SERVER_URL and API_KEY in the environment.
# curl waits as long as Retry-After says; --fail-with-body shows the reason of an error and ends with status 22.
# The key comes by a pipe, as every user of the machine can see a command's arguments.
url=${SERVER_URL:-http://127.0.0.1:3000}
printf '%s\n' ${API_KEY:+"header = \"Authorization: Bearer $API_KEY\""} | curl --config - \
    --silent --show-error --fail-with-body \
    --connect-timeout 2 --max-time 10 --retry 3 --retry-connrefused --retry-max-time 30 \
    --header 'Content-Type: application/octet-stream' --data-binary "@$1" \
    "$url/v1/predict?top_k=1"
