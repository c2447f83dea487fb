/** Requests are signed as the SDK's own signer signs them. */
import { S3Client } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { S3Signature } from '../../src/stores/s3-signature.ts';

const AT = new Date('2026-03-04T05:06:07.890Z');
const HEADERS = {
  'x-amz-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  host: '127.0.0.1:9000',
  'user-agent': 'holdfast',
  'content-length': '0',
  'if-none-match': '*',
  'x-amz-storage-class': ' GLACIER   IR ',
};

test.each([undefined, 'a-token'])('a request with the session token %s: signed as the SDK signs it', async (token) => {
  const given = { accessKeyId: 'AK', secretAccessKey: 'a-secret' };
  const credentials = token === undefined ? given : { ...given, sessionToken: token };
  const client = new S3Client({ region: 'eu-central-1', credentials });
  const signer = await client.config.signer();
  const request = { method: 'PUT', path: '/vaults/a%20b/k%21', headers: HEADERS };
  const address = { protocol: 'http:', hostname: '127.0.0.1', port: 9000, query: {} };
  const asked = { ...request, ...address, headers: { ...HEADERS } };
  const theirs = await signer.sign(asked, { signingDate: AT, signingRegion: 'eu-central-1', signingService: 's3' });
  expect(new S3Signature('eu-central-1', 's3').sign(request, credentials, AT)).toEqual(theirs.headers);
  client.destroy();
});
