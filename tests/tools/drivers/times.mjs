// Print the values of the drivers for Node for a time, an integer and a price as one JSON object, for docs/database.md.
//
//     TZ=Asia/Shanghai node times.mjs postgresql://... | mariadb://...

const url = new URL(process.argv[2]);
const query = "SELECT released_at, released_at_iso, duration_ms, lowest_credit FROM picker WHERE template_id = '1'";

async function rows(options) {
  if (url.protocol === "postgresql:") {
    const { default: pg } = await import("pg");
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    const found = await client.query(query);
    await client.end();
    return found.rows;
  }
  const { createConnection } = await import("mysql2/promise");
  const { hostname: host, port, username: user, password } = url;
  const connection = await createConnection({ host, port: Number(port || 3306), user, password, database: url.pathname.slice(1), ...options });
  const [found] = await connection.query(query);
  await connection.end();
  return found;
}

function seen({ released_at, released_at_iso, duration_ms, lowest_credit }) {
  const kind = released_at instanceof Date ? "Date" : typeof released_at;
  const types = { duration_ms: typeof duration_ms, lowest_credit: typeof lowest_credit };
  return { kind, plain: new Date(released_at).toISOString(), iso: new Date(released_at_iso).toISOString(), ...types };
}

const [byDefault] = await rows({});
const [withUtc] = await rows({ timezone: "Z" });
console.log(JSON.stringify({ default: seen(byDefault), with_utc: seen(withUtc) }));
