/**
 * Runs in the network of a container, and in nothing else of it: passes connections of a Unix socket on to one of its
 * ports. Its arguments are the socket and the port; it ends with its standard input.
 */
import { connect, createServer } from 'node:net';

const [socket = '', port = ''] = process.argv.slice(2);

const server = createServer((from) => {
  const to = connect({ host: '127.0.0.1', port: Number(port) });
  // Whichever of the two ends or breaks takes the other with it.
  from.on('error', () => to.destroy());
  to.on('error', () => from.destroy());
  from.pipe(to);
  to.pipe(from);
});
server.listen(socket, () => process.stdout.write('open\n'));
process.stdin.on('end', () => process.exit(0)).resume();
