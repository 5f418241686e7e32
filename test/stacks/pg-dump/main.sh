#!/bin/sh
# A dump is taken away and comes back. Both programs set up their session before they begin, so they
# use the session port.
set -eu

sql() {
  psql -X -q -A -t -v ON_ERROR_STOP=1 "$@" "$DIRECT_URL"
}

sum="select md5(string_agg(t::text, ',' order by id)) from shop.item t"

case $1 in
version)
  pg_dump --version | sed 's/^pg_dump (PostgreSQL) \([^ ]*\).*/\1/'
  ;;
migrations)
  sql -1 -f schema.sql
  ;;
crud)
  before=$(sql -c "$sum")
  pg_dump -Fc -f whole.dump "$DIRECT_URL"
  sql -c 'drop schema shop cascade' 2>/dev/null
  pg_restore --exit-on-error -d "$DIRECT_URL" whole.dump
  [ "$(sql -c "$sum")" = "$before" ]
  sql -c "insert into shop.item (name) values ('next')" -c 'refresh materialized view shop.total'
  ;;
transaction)
  before=$(sql -c "$sum")
  pg_dump --clean --if-exists -Fc -f whole.dump "$DIRECT_URL"
  sql -c 'truncate shop.item'
  pg_restore --clean --if-exists --single-transaction -d "$DIRECT_URL" whole.dump
  [ "$(sql -c "$sum")" = "$before" ]
  ;;
esac
