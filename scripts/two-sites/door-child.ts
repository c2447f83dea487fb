/** `door-child.ts <socket> <port>`: what comes to the Unix socket is passed on to this port of its machine, until it is killed. */
import { connect, createServer } from 'node:net';

const [socket = '', port = '0'] = process.argv.slice(2);
const server = createServer((from) => {
  const to = connect(Number(port), '127.0.0.1');
  from.on('error', () => to.destroy());
  to.on('error', () => from.destroy());
  from.once('close', () => to.destroy());
  to.once('close', () => from.destroy());
  from.pipe(to);
  to.pipe(from);
});
server.listen(socket, () => console.log('listening'));
