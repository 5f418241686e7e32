package main

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"

	"github.com/lib/pq"
)

var db *sql.DB

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
		if module.Path == "github.com/lib/pq" {
			fmt.Print(module.Version)
		}
	}
}

func migrations() {
	tx, err := db.Begin()
	must(err)
	_, err = tx.Exec(`
		create table person (
		  id integer generated always as identity primary key, name text not null,
		  tags text[] not null default '{}', data jsonb);
		create index on person using gin (tags);
		create table account (
		  id integer primary key, balance integer not null check (balance >= 0));
		insert into account values (1, 1000), (2, 0)`)
	must(err)
	must(tx.Commit())
}

func crud() {
	var id int
	var tags []string
	text := "insert into person (name, tags, data) values ($1, $2, $3) returning id, tags"
	row := db.QueryRow(text, "Ada", pq.Array([]string{"a", "b"}), `{"deep": 1}`)
	must(row.Scan(&id, pq.Array(&tags)))
	expect(len(tags) == 2 && tags[1] == "b", tags)
	_, err := db.Exec("update person set name = $2 where id = $1", id, "Lovelace")
	must(err)
	var name string
	must(db.QueryRow("select name from person where id = $1", id).Scan(&name))
	expect(name == "Lovelace", name)
	result, err := db.Exec("delete from person where id = $1", id)
	must(err)
	count, err := result.RowsAffected()
	must(err)
	expect(count == 1, count)
}

func move(amount int) error {
	tx, err := db.Begin()
	must(err)
	defer tx.Rollback()
	text := "update account set balance = balance + $2 where id = $1"
	if _, err := tx.Exec(text, 1, -amount); err != nil {
		return err
	}
	if _, err := tx.Exec(text, 2, amount); err != nil {
		return err
	}
	return tx.Commit()
}

func transaction() {
	many(20, func(int) { must(move(10)) })
	var refused *pq.Error
	expect(errors.As(move(900), &refused) && refused.Code == "23514", refused)
	var first, second int
	text := "select min(balance) filter (where id = 1), min(balance) filter (where id = 2) from account"
	must(db.QueryRow(text).Scan(&first, &second))
	expect(first == 800 && second == 200, first, second)
}

func prepared() {
	statements := make([]*sql.Stmt, 5)
	for i := range statements {
		statement, err := db.Prepare(fmt.Sprintf("select $1::int + %d", i))
		must(err)
		defer statement.Close()
		statements[i] = statement
	}
	many(400, func(i int) {
		var sum int
		must(statements[i%5].QueryRow(i).Scan(&sum))
		expect(sum == i+i%5, sum)
	})
}

func main() {
	var err error
	db, err = sql.Open("postgres", os.Getenv("DATABASE_URL"))
	must(err)
	defer db.Close()
	db.SetMaxOpenConns(20)
	phases := map[string]func(){
		"version": version, "migrations": migrations, "crud": crud,
		"transaction": transaction, "prepared": prepared,
	}
	phases[os.Args[1]]()
}
