#!/bin/sh
# psql as people and scripts use it; one word says what to do.
set -eu

sql() {
  psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}

equals() {
  if [ "$1" = "$2" ]; then return 0; fi
  echo "not as expected: $1 instead of $2" >&2
  exit 1
}

move="begin;
  update account set balance = balance - :amount where id = 1;
  update account set balance = balance + :amount where id = 2;
commit;"

move() {
  echo "$move" | sql -v amount="$1" "$DATABASE_URL"
}

case $1 in
version)
  psql --version | sed 's/^psql (PostgreSQL) \([^ ]*\).*/\1/'
  ;;
migrations)
  # A file in one transaction.
  sql -1 -f schema.sql "$DATABASE_URL"
  ;;
crud)
  printf 'Ada\nGrace\n' | sql -c '\copy person (name) from stdin' "$DATABASE_URL"
  echo "update person set name = :'name' where name = 'Ada'" | sql -v name=Lovelace "$DATABASE_URL"
  names=$(sql -c "select string_agg(name, ',' order by name) from person" "$DATABASE_URL")
  equals "$names" Grace,Lovelace
  psql -X -c '\d person' -c '\dt' -c '\df' "$DATABASE_URL" >described.txt
  grep -q person_name_idx described.txt
  sql -c 'delete from person' "$DATABASE_URL"
  ;;
transaction)
  pids=
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    move 20 &
    pids="$pids $!"
  done
  for pid in $pids; do wait "$pid"; done
  if move 900 2>refused.txt; then
    echo "The check did not hold." >&2
    exit 1
  fi
  grep -q account_balance_check refused.txt
  sum=$(sql -c "select string_agg(balance::text, ',' order by id) from account" "$DATABASE_URL")
  equals "$sum" 800,200
  ;;
prepared)
  pids=
  for i in 1 2 3 4 5 6 7 8 9 10; do
    # What SQL prepares belongs to a session, so it stays within a transaction.
    text="select \$1::int + $i \\bind 5 \\g
      begin; prepare add (int) as select \$1 + $i; execute add (6); deallocate add; commit;"
    both="$((i + 5)),$((i + 6)),"
    { equals "$(printf '%s\n' "$text" | sql "$DATABASE_URL" | tr '\n' ,)" "$both"; } &
    pids="$pids $!"
  done
  for pid in $pids; do wait "$pid"; done
  ;;
esac
