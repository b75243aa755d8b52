#!/usr/bin/env bash
# Bills the next month of one lease, as LeaseUp's application would: by a request to Dagster's
# GraphQL. A month that is billed already stays billed once, so it may be sent again at any time.
#
#   DAGSTER_WEBSERVER_URL=http://127.0.0.1:3000 examples/create_invoice.sh LEASE_ID [DUE_DATE]
#
# Its tag says that no person launched it: operators are then alerted also of a wrong lease id.
#
# Prints the run's id. The run itself is queued: its outcome is in the UI, at /runs/ID.
set -euo pipefail

lease_id=${1:?usage: create_invoice.sh LEASE_ID [YYYY-MM-DD]}
due_date=${2:-}
webserver=${DAGSTER_WEBSERVER_URL:-http://127.0.0.1:3000}
location=${DAGSTER_LOCATION:-leaseup_dagster}

# What goes into JSON as it is must be an id, and nothing cleverer.
if ! [[ $lease_id$due_date =~ ^[A-Za-z0-9_-]+$ ]]; then
  echo "Not a lease id and a date: $lease_id $due_date" >&2
  exit 2
fi

# shellcheck disable=SC2016 # the variable is GraphQL's
query='mutation CreateInvoice($execution: ExecutionParams!) {
  launchRun(executionParams: $execution) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on Error { message }
  }
}'
body=$(
  cat <<JSON
{
  "query": "${query//$'\n'/ }",
  "variables": {
    "execution": {
      "selector": {
        "repositoryLocationName": "$location",
        "repositoryName": "__repository__",
        "jobName": "create_invoice"
      },
      "executionMetadata": {"tags": [{"key": "leaseup/launched_by", "value": "leaseup"}]},
      "runConfigData": {
        "ops": {"plan_one_invoice": {"config": {"lease_id": "$lease_id", "due_date": "$due_date"}}}
      }
    }
  }
}
JSON
)

# --fail: an HTTP error is an error. GraphQL's own come with status 200, in the answer.
answer=$(
  curl --fail --silent --show-error --max-time 60 \
    --header 'Content-Type: application/json' --data "$body" "$webserver/graphql"
)

if [[ $answer =~ \"runId\":\ *\"([^\"]+)\" ]]; then
  echo "${BASH_REMATCH[1]}"
else
  echo "Dagster did not launch create_invoice: $answer" >&2
  exit 1
fi
