/** The AWS SDK's client for Route 53, with credentials by reference and times that end. */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Route53Client } from '@aws-sdk/client-route-53';
import type { Route53ClientConfig } from '@aws-sdk/client-route-53';
import { readAwsLogin, trustedAuthorities } from '../stores/aws-login.ts';
import type { Route53Access } from '../system/dns-types.ts';
import type { SecretRef } from '../system/types.ts';

const CONNECT_TIMEOUT_MS = 5000;
const REQUEST_TIMEOUT_MS = 15_000;
/** A repeat of a batch whose answer was lost is refused for what it deletes, and then found to be done. */
const ATTEMPTS = 3;

/** Throws BadInput, and what `resolveSecret` throws. */
export async function createRoute53Client(
  access: Route53Access,
  resolveSecret: (ref: SecretRef) => Promise<string>,
): Promise<Route53Client> {
  const agent = { keepAlive: true, maxSockets: 4, proxyEnv: process.env };
  const options: Route53ClientConfig = {
    region: access.region,
    maxAttempts: ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      throwOnRequestTimeout: true,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent({ ...agent, ...(await trustedAuthorities(access.caFile)) }),
    },
  };
  if (access.endpoint !== undefined) options.endpoint = access.endpoint;
  const credentials = await readAwsLogin(access, `zone ${access.zone}`, resolveSecret);
  if (credentials !== undefined) options.credentials = credentials;
  return new Route53Client(options);
}
