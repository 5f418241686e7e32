import com.zaxxer.hikari.HikariDataSource;
import java.net.URI;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.flywaydb.core.Flyway;

public class Main {
  static HikariDataSource pool;

  /** JDBC wants the user and the password beside the URL. */
  static HikariDataSource open(String variable) {
    URI url = URI.create(System.getenv(variable));
    String[] login = url.getUserInfo().split(":", 2);
    HikariDataSource source = new HikariDataSource();
    String query = url.getQuery() == null ? "" : "?" + url.getQuery();
    source.setJdbcUrl("jdbc:postgresql://" + url.getAuthority().split("@")[1] + url.getPath() + query);
    source.setUsername(login[0]);
    source.setPassword(login[1]);
    source.setMaximumPoolSize(20);
    return source;
  }

  static void expect(boolean holds, Object what) {
    if (!holds) throw new AssertionError("not as expected: " + what);
  }

  static void many(int count, Work work) throws Exception {
    var threads = Executors.newFixedThreadPool(20);
    try {
      var calls = new ArrayList<Callable<Void>>();
      for (int i = 0; i < count; i++) {
        int number = i;
        calls.add(() -> {
          work.run(number);
          return null;
        });
      }
      for (Future<Void> done : threads.invokeAll(calls)) done.get();
    } finally {
      threads.shutdown();
    }
  }

  interface Work {
    void run(int number) throws Exception;
  }

  // Migrations lock the session they run in.
  static void migrations() {
    try (HikariDataSource direct = open("DIRECT_URL")) {
      var result = Flyway.configure().dataSource(direct).load().migrate();
      expect(result.migrationsExecuted == 2, result.migrationsExecuted);
    }
  }

  static void crud() throws Exception {
    try (Connection connection = pool.getConnection()) {
      int id;
      String insert = "insert into person (name, tags, data) values (?, ?, ?::jsonb) returning id, tags";
      try (PreparedStatement statement = connection.prepareStatement(insert)) {
        statement.setString(1, "Ada");
        statement.setArray(2, connection.createArrayOf("text", new String[] {"a", "b"}));
        statement.setString(3, "{\"deep\": 1}");
        ResultSet rows = statement.executeQuery();
        expect(rows.next(), "a row");
        id = rows.getInt(1);
        expect(((String[]) rows.getArray(2).getArray()).length == 2, "tags");
      }
      String change = "update person set name = ? where id = ?";
      try (PreparedStatement statement = connection.prepareStatement(change)) {
        statement.setString(1, "Lovelace");
        statement.setInt(2, id);
        expect(statement.executeUpdate() == 1, "an update");
      }
      try (ResultSet rows = connection.createStatement().executeQuery("select name from person")) {
        expect(rows.next() && rows.getString(1).equals("Lovelace"), "the name");
      }
      expect(connection.createStatement().executeUpdate("delete from person") == 1, "a delete");
    }
  }

  static void move(int amount) throws SQLException {
    try (Connection connection = pool.getConnection()) {
      connection.setAutoCommit(false);
      String change = "update account set balance = balance + ? where id = ?";
      try (PreparedStatement statement = connection.prepareStatement(change)) {
        for (int id = 1; id <= 2; id++) {
          statement.setInt(1, id == 1 ? -amount : amount);
          statement.setInt(2, id);
          statement.executeUpdate();
        }
        connection.commit();
      } catch (SQLException error) {
        connection.rollback();
        throw error;
      }
    }
  }

  static void transaction() throws Exception {
    many(20, number -> move(10));
    try {
      move(900);
      throw new AssertionError("The check did not hold.");
    } catch (SQLException error) {
      expect(error.getSQLState().equals("23514"), error);
    }
    try (Connection connection = pool.getConnection()) {
      String text = "select string_agg(balance::text, ',' order by id) from account";
      ResultSet rows = connection.createStatement().executeQuery(text);
      expect(rows.next() && rows.getString(1).equals("800,200"), rows.getString(1));
    }
  }

  /** The driver prepares by itself what is run five times on a connection. */
  static void prepared() throws Exception {
    many(60, number -> {
      try (Connection connection = pool.getConnection()) {
        String text = "select ?::int + " + number % 3;
        try (PreparedStatement statement = connection.prepareStatement(text)) {
          for (int i = 0; i < 20; i++) {
            statement.setInt(1, i);
            ResultSet rows = statement.executeQuery();
            expect(rows.next() && rows.getInt(1) == i + number % 3, text);
          }
        }
      }
    });
  }

  public static void main(String[] words) throws Exception {
    if (words[0].equals("version")) {
      System.out.println(org.postgresql.util.DriverInfo.DRIVER_VERSION);
      return;
    }
    if (words[0].equals("migrations")) {
      migrations();
      return;
    }
    try (HikariDataSource source = open("DATABASE_URL")) {
      pool = source;
      if (words[0].equals("crud")) crud();
      if (words[0].equals("transaction")) transaction();
      if (words[0].equals("prepared")) prepared();
    }
  }
}
