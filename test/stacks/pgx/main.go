package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

var ctx = context.Background()
var pool *pgxpool.Pool

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func expect(holds bool, what ...any) {
	if !holds {
		must(errors.New(fmt.Sprint("not as expected: ", what)))
	}
}

func many(count int, work func(i int)) {
	var group sync.WaitGroup
	for i := range count {
		group.Add(1)
		go func() {
			defer group.Done()
			work(i)
		}()
	}
	group.Wait()
}

func version() {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/jackc/pgx/v5" {
			fmt.Print(module.Version)
		}
	}
}

func migrations() {
	must(pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			create table person (
			  id integer generated always as identity primary key, name text not null,
			  tags text[] not null default '{}', data jsonb,
			  made_at timestamptz not null default now());
			create index on person using gin (tags);
			create table account (
			  id integer primary key, balance integer not null check (balance >= 0));
			insert into account values (1, 1000), (2, 0)`)
		return err
	}))
}

func crud() {
	var id int
	var tags []string
	var data map[string]any
	text := `insert into person (name, tags, data) values ($1, $2, $3) returning id, tags, data`
	row := pool.QueryRow(ctx, text, "Ada", []string{"a", "b"}, map[string]any{"deep": 1})
	must(row.Scan(&id, &tags, &data))
	expect(len(tags) == 2 && data["deep"] == 1.0, tags, data)
	_, err := pool.Exec(ctx, "update person set name = $2 where id = $1", id, "Lovelace")
	must(err)
	batch := &pgx.Batch{}
	batch.Queue("select name from person where id = $1", id)
	batch.Queue("select count(*) from person")
	results := pool.SendBatch(ctx, batch)
	var name string
	var count int
	must(results.QueryRow().Scan(&name))
	must(results.QueryRow().Scan(&count))
	must(results.Close())
	expect(name == "Lovelace" && count == 1, name, count)
	rows := pgx.CopyFromRows([][]any{{"Grace"}})
	_, err = pool.CopyFrom(ctx, pgx.Identifier{"person"}, []string{"name"}, rows)
	must(err)
	tag, err := pool.Exec(ctx, "delete from person")
	must(err)
	expect(tag.RowsAffected() == 2, tag)
}

func move(amount int) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		text := "update account set balance = balance + $2 where id = $1"
		if _, err := tx.Exec(ctx, text, 1, -amount); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, text, 2, amount)
		return err
	})
}

func transaction() {
	many(20, func(int) { must(move(10)) })
	var refused *pgconn.PgError
	expect(errors.As(move(900), &refused) && refused.Code == "23514", refused)
	rows, err := pool.Query(ctx, "select balance from account order by id")
	must(err)
	balances, err := pgx.CollectRows(rows, pgx.RowTo[int])
	must(err)
	expect(balances[0] == 800 && balances[1] == 200, balances)
}

// Every query with arguments is a named prepared statement here.
func prepared() {
	many(400, func(i int) {
		var sum int
		text := fmt.Sprintf("select $1::int + %d", i%5)
		must(pool.QueryRow(ctx, text, i).Scan(&sum))
		expect(sum == i+i%5, sum)
	})
}

func main() {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	must(err)
	config.MaxConns = 20
	pool, err = pgxpool.NewWithConfig(ctx, config)
	must(err)
	defer pool.Close()
	phases := map[string]func(){
		"version": version, "migrations": migrations, "crud": crud,
		"transaction": transaction, "prepared": prepared,
	}
	phases[os.Args[1]]()
}
