/** A server behind TLS that asks for a certificate: client and worker come in by Temporal's own variables. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import path from 'node:path';
import { createServer, type Server } from 'node:tls';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { NativeConnection } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectEngine, engineTarget } from '../../src/engine/index.ts';
import { devServer } from '../workflows/stage.ts';
import { temporaryHome } from './home.ts';

let home: ReturnType<typeof temporaryHome>;
let env: TestWorkflowEnvironment;
let server: Server;

/** An authority, and a certificate of it for the server and one for the client. */
function certificates(directory: string): void {
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=authority');
  for (const name of ['server', 'client']) {
    const asked = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:temporal.example'];
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, ...asked);
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-copy_extensions', 'copy'];
    openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, ...signed);
  }
}

beforeAll(async () => {
  home = temporaryHome();
  certificates(home.path);
  env = await devServer();
  const port = Number(env.address.split(':')[1]);
  const file = (name: string): Buffer => readFileSync(path.join(home.path, name));
  const options = { key: file('server.key'), cert: file('server.pem'), ca: file('ca.pem') };
  server = createServer(
    { ...options, requestCert: true, rejectUnauthorized: true, ALPNProtocols: ['h2'] },
    (socket) => {
      const behind = connect(port, '127.0.0.1');
      socket.on('error', () => behind.destroy());
      behind.on('error', () => socket.destroy());
      socket.pipe(behind).pipe(socket);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const place = (name: string): string => path.join(home.path, name);
  Object.assign(process.env, {
    TEMPORAL_ADDRESS: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    TEMPORAL_TLS: 'true',
    TEMPORAL_TLS_SERVER_NAME: 'temporal.example',
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: place('ca.pem'),
    TEMPORAL_TLS_CLIENT_CERT_PATH: place('client.pem'),
    TEMPORAL_TLS_CLIENT_KEY_PATH: place('client.key'),
  });
});

afterAll(async () => {
  server.close();
  await env.teardown();
  home[Symbol.dispose]();
});

describe('a cluster behind TLS', () => {
  it('the command line and the workers are let in with their certificate', async () => {
    await using engine = await connectEngine();
    expect(engine.target.from).toBe('TEMPORAL_*');
    await engine.client.workflow.count();
    const native = await NativeConnection.connect(engineTarget().connectionOptions);
    await native.workflowService.getSystemInfo({});
    await native.close();
  });

  it('without a certificate nobody is: the address is named, and nothing is tried without TLS', async () => {
    const { TEMPORAL_TLS_CLIENT_CERT_PATH: cert, TEMPORAL_TLS_CLIENT_KEY_PATH: key } = process.env;
    delete process.env['TEMPORAL_TLS_CLIENT_CERT_PATH'];
    delete process.env['TEMPORAL_TLS_CLIENT_KEY_PATH'];
    try {
      const { TEMPORAL_ADDRESS: address = '' } = process.env;
      await expect(connectEngine()).rejects.toMatchObject({
        code: 'EngineUnreachable',
        message: expect.stringContaining(address) as string,
      });
    } finally {
      Object.assign(process.env, { TEMPORAL_TLS_CLIENT_CERT_PATH: cert, TEMPORAL_TLS_CLIENT_KEY_PATH: key });
    }
  });
});
