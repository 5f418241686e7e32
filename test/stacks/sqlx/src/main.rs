use futures::future::try_join_all;
use serde_json::{json, Value};
use sqlx::postgres::{PgPool, PgPoolOptions};

type Done = Result<(), Box<dyn std::error::Error>>;

async fn open(variable: &str) -> Result<PgPool, Box<dyn std::error::Error>> {
    let url = std::env::var(variable)?;
    Ok(PgPoolOptions::new().max_connections(20).connect(&url).await?)
}

// Migrations lock the session they run in.
async fn migrations() -> Done {
    let pool = open("DIRECT_URL").await?;
    sqlx::migrate!().run(&pool).await?;
    let count: i64 = sqlx::query_scalar("select count(*) from _sqlx_migrations where success")
        .fetch_one(&pool)
        .await?;
    assert_eq!(count, 2);
    Ok(())
}

async fn crud() -> Done {
    let pool = open("DATABASE_URL").await?;
    let data = json!({"deep": [1, null]});
    let text = "insert into person (name, tags, data) values ($1, $2, $3) returning id, tags, data";
    let (id, tags, back): (i32, Vec<String>, Value) = sqlx::query_as(text)
        .bind("Ada")
        .bind(vec!["a", "b"])
        .bind(&data)
        .fetch_one(&pool)
        .await?;
    assert_eq!((tags, back), (vec!["a".to_string(), "b".to_string()], data));
    sqlx::query("update person set name = $2 where id = $1")
        .bind(id)
        .bind("Lovelace")
        .execute(&pool)
        .await?;
    let name: String = sqlx::query_scalar("select name from person where id = $1")
        .bind(id)
        .fetch_one(&pool)
        .await?;
    assert_eq!(name, "Lovelace");
    let gone = sqlx::query("delete from person where id = $1").bind(id).execute(&pool).await?;
    assert_eq!(gone.rows_affected(), 1);
    Ok(())
}

async fn transfer(pool: &PgPool, amount: i32) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    for (id, by) in [(1, -amount), (2, amount)] {
        sqlx::query("update account set balance = balance + $2 where id = $1")
            .bind(id)
            .bind(by)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await
}

async fn transaction() -> Done {
    let pool = open("DATABASE_URL").await?;
    try_join_all((0..20).map(|_| transfer(&pool, 10))).await?;
    let refused = transfer(&pool, 900).await.unwrap_err();
    let code = refused.as_database_error().and_then(|error| error.code().map(|c| c.to_string()));
    assert_eq!(code.as_deref(), Some("23514"));
    let rows: Vec<i32> = sqlx::query_scalar("select balance from account order by id")
        .fetch_all(&pool)
        .await?;
    assert_eq!(rows, [800, 200]);
    Ok(())
}

/// Every query with arguments is a named prepared statement here.
async fn prepared() -> Done {
    let pool = open("DATABASE_URL").await?;
    let texts: Vec<String> = (0..5).map(|i| format!("select $1::int + {i}")).collect();
    let ask = |i: i32| {
        let (pool, text) = (&pool, &texts[i as usize % 5]);
        async move { sqlx::query_scalar::<_, i32>(text).bind(i).fetch_one(pool).await }
    };
    for (i, sum) in try_join_all((0..400).map(ask)).await?.into_iter().enumerate() {
        assert_eq!(sum as usize, i + i % 5);
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Done {
    match std::env::args().nth(1).as_deref() {
        Some("version") => {
            let lock = include_str!("../Cargo.lock");
            let at = lock.find("name = \"sqlx\"").expect("sqlx is locked");
            println!("{}", lock[at..].split('"').nth(3).expect("its version"));
            Ok(())
        }
        Some("migrations") => migrations().await,
        Some("crud") => crud().await,
        Some("transaction") => transaction().await,
        _ => prepared().await,
    }
}
