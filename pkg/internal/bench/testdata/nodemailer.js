// Sends every message of a directory through nodemailer's pool: DIR MESSAGES DOMAINS PORT CONNECTIONS SENDER.
const fs = require('node:fs/promises');
const path = require('node:path');
const nodemailer = require('nodemailer');

const [dir, messages, domains, port, connections, sender] = process.argv.slice(2);
const pool = nodemailer.createTransport({
  pool: true,
  host: '127.0.0.1',
  port: Number(port),
  name: 'client.test',
  requireTLS: true,
  tls: { rejectUnauthorized: false, minVersion: 'TLSv1.3' },
  maxConnections: Number(connections),
  maxMessages: Infinity,
});

let next = 0;
async function work() {
  for (let n = next++; n < messages; n = next++) {
    const raw = await fs.readFile(path.join(dir, String(n).padStart(7, '0') + '.eml'));
    await pool.sendMail({ envelope: { from: sender, to: `r${n}@d${n % domains}.test` }, raw });
  }
}

// Twice as many as there are connections, so that each has its next message waiting.
Promise.all(Array.from({ length: 2 * connections }, work)).then(
  () => pool.close(),
  (err) => {
    console.error(err);
    process.exit(1);
  },
);
