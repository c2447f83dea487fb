/** A process of its own that moves money between accounts without end: any consistent copy has the same sum. */
import { DatabaseSync } from 'node:sqlite';

const [path = ''] = process.argv.slice(2);
const database = new DatabaseSync(path, { timeout: 60_000 });
const from = database.prepare('UPDATE accounts SET balance = balance - ? WHERE id = ?');
const to = database.prepare('UPDATE accounts SET balance = balance + ? WHERE id = ?');
const note = database.prepare('INSERT INTO transfers (amount) VALUES (?)');

process.on('message', () => {
  database.close();
  process.exit(0);
});

let count = 0;
function turn(): void {
  for (let index = 0; index < 20; index += 1) {
    count += 1;
    database.exec('BEGIN IMMEDIATE');
    from.run(count % 7, (count % 100) + 1);
    to.run(count % 7, ((count * 31) % 100) + 1);
    note.run(count % 7);
    database.exec('COMMIT');
  }
  process.send?.(count);
  setTimeout(turn, 10);
}
turn();
