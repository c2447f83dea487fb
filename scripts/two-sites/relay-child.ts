/** `relay-child.ts <port> <socket>`: on its machine's network it passes connections on to a Unix socket, until it is killed. */
import { connect, createServer } from 'node:net';

const [port = '0', socket = ''] = process.argv.slice(2);
const server = createServer((from) => {
  const to = connect(socket);
  from.on('error', () => to.destroy());
  to.on('error', () => from.destroy());
  from.pipe(to);
  to.pipe(from);
});
server.listen(Number(port), '0.0.0.0', () => console.log('listening'));
