/**
 * `names-child.ts <port> <socket>`: answers DNS on its machine's network by passing each query on to a Unix socket, with its
 * length before it as over TCP (RFC 1035, 4.2.2), until it is killed.
 */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';

const LIMIT_MS = 5000;
const [port = '0', socket = ''] = process.argv.slice(2);
const server = createSocket('udp4');
server.on('message', (query, from) => {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(query.length);
  const to = connect(socket, () => to.write(Buffer.concat([length, query])));
  let answer = Buffer.alloc(0);
  to.setTimeout(LIMIT_MS, () => to.destroy());
  to.on('error', () => to.destroy());
  to.on('data', (bytes) => {
    answer = Buffer.concat([answer, bytes]);
    if (answer.length < 2 || answer.length < 2 + answer.readUInt16BE(0)) return;
    server.send(answer.subarray(2, 2 + answer.readUInt16BE(0)), from.port, from.address);
    to.destroy();
  });
});
server.bind(Number(port), '0.0.0.0', () => console.log('listening'));
