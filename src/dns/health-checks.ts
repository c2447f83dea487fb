/** Health checks of Route 53: read, and made once for a configuration. */
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { CreateHealthCheckCommand, GetHealthCheckCommand } from '@aws-sdk/client-route-53';
import type { HealthCheckConfig, HealthCheckType, Route53Client } from '@aws-sdk/client-route-53';
import { HoldfastError } from '../failures.ts';
import { canonicalJson } from '../policy/canonical.ts';
import type { CheckSettings } from '../policy/failover/dns-audit.ts';
import type { Route53Access } from '../system/dns-types.ts';
import type { SecretRef } from '../system/types.ts';
import { createRoute53Client } from './route53-client.ts';
import { isNamed, route53Failure } from './route53-errors.ts';

/** A reference stays taken when its check was deleted: then the next one. */
const MOST_REFERENCES = 10;

export class HealthChecks {
  private readonly client: Route53Client;
  private readonly zone: string;

  constructor(client: Route53Client, zone: string) {
    this.client = client;
    this.zone = zone;
  }

  /** Undefined when there is no such check. */
  async read(id: string, signal: AbortSignal): Promise<CheckSettings | undefined> {
    try {
      const answer = await this.client.send(new GetHealthCheckCommand({ HealthCheckId: id }), { abortSignal: signal });
      return settingsOf(answer.HealthCheck?.HealthCheckConfig);
    } catch (cause) {
      if (isNamed(cause, 'NoSuchHealthCheck')) return undefined;
      throw route53Failure(this.zone, `read the health check ${id}`, cause);
    }
  }

  /** Its id. The same settings for the same owner give the same check, however often it is asked for. */
  async make(owner: string, settings: CheckSettings, signal: AbortSignal): Promise<string> {
    const digest = createHash('sha256').update(canonicalJson({ owner, settings })).digest('hex').slice(0, 40);
    for (let number = 1; number <= MOST_REFERENCES; number += 1) {
      try {
        const answer = await this.client.send(
          new CreateHealthCheckCommand({
            CallerReference: `holdfast-${digest}-${number}`,
            HealthCheckConfig: configOf(settings),
          }),
          { abortSignal: signal },
        );
        return answer.HealthCheck?.Id ?? '';
      } catch (cause) {
        if (isNamed(cause, 'HealthCheckAlreadyExists')) continue;
        throw route53Failure(this.zone, 'make a health check', cause);
      }
    }
    throw new HoldfastError('DnsRefused', `Route 53 does not let us make a health check for zone ${this.zone}.`);
  }

  close(): void {
    this.client.destroy();
  }
}

function settingsOf(config: HealthCheckConfig | undefined): CheckSettings {
  const { Type = '', FullyQualifiedDomainName, IPAddress, Port = 0, ResourcePath = '/', SearchString } = config ?? {};
  return {
    type: Type,
    host: FullyQualifiedDomainName ?? IPAddress ?? '',
    port: Port,
    path: ResourcePath,
    ...(SearchString === undefined ? {} : { search: SearchString }),
    intervalSeconds: config?.RequestInterval ?? 0,
    failureThreshold: config?.FailureThreshold ?? 0,
    inverted: config?.Inverted === true,
    disabled: config?.Disabled === true,
  };
}

function configOf(settings: CheckSettings): HealthCheckConfig {
  const { type, host, port, path, search, intervalSeconds, failureThreshold, inverted, disabled } = settings;
  return {
    Type: type as HealthCheckType,
    ...(isIP(host) === 0 ? { FullyQualifiedDomainName: host } : { IPAddress: host }),
    Port: port,
    ResourcePath: path,
    ...(search === undefined ? {} : { SearchString: search }),
    RequestInterval: intervalSeconds,
    FailureThreshold: failureThreshold,
    Inverted: inverted,
    Disabled: disabled,
    ...(type.startsWith('HTTPS') ? { EnableSNI: true } : {}),
  };
}

/** For as long as `use` runs. */
export async function withHealthChecks<T>(
  access: Route53Access,
  resolveSecret: (ref: SecretRef) => Promise<string>,
  use: (checks: HealthChecks) => Promise<T>,
): Promise<T> {
  const checks = new HealthChecks(await createRoute53Client(access, resolveSecret), access.zone);
  try {
    return await use(checks);
  } finally {
    checks.close();
  }
}
