/** Record sets between Route 53's words and ours. */
import type { ResourceRecordSet } from '@aws-sdk/client-route-53';
import type { ChangeItem } from '../policy/failover/dns-change.ts';
import { zoneName, type RecordSet } from '../policy/failover/dns-records.ts';

export function fromRoute53(record: ResourceRecordSet): RecordSet {
  const { Name = '', Type = '', SetIdentifier, TTL, ResourceRecords, AliasTarget, Weight, Failover } = record;
  const otherRouting = otherRoutingOf(record);
  return {
    name: zoneName(Name),
    type: Type,
    ...(SetIdentifier === undefined ? {} : { setIdentifier: SetIdentifier }),
    ...(TTL === undefined ? {} : { ttlSeconds: TTL }),
    // An alias may be listed with an empty list of records.
    ...(AliasTarget !== undefined ? {} : { values: (ResourceRecords ?? []).map(({ Value }) => Value ?? '') }),
    ...(AliasTarget === undefined
      ? {}
      : {
          alias: {
            zone: AliasTarget.HostedZoneId ?? '',
            name: zoneName(AliasTarget.DNSName ?? ''),
            evaluateTargetHealth: AliasTarget.EvaluateTargetHealth === true,
          },
        }),
    ...(Weight === undefined ? {} : { weight: Weight }),
    ...(Failover === undefined ? {} : { failover: Failover }),
    ...(record.HealthCheckId === undefined ? {} : { healthCheckId: record.HealthCheckId }),
    ...(otherRouting === undefined ? {} : { otherRouting }),
  };
}

function otherRoutingOf(record: ResourceRecordSet): string | undefined {
  if (record.Region !== undefined) return 'latency';
  if (record.GeoLocation !== undefined) return 'geolocation';
  if (record.GeoProximityLocation !== undefined) return 'geoproximity';
  if (record.MultiValueAnswer === true) return 'multivalue';
  if (record.CidrRoutingConfig !== undefined) return 'IP-based';
  if (record.TrafficPolicyInstanceId !== undefined) return 'traffic policy';
  return undefined;
}

export function toRoute53(record: RecordSet): ResourceRecordSet {
  const { name, type, setIdentifier, ttlSeconds, values, alias, weight, failover, healthCheckId } = record;
  return {
    Name: name,
    Type: type as ResourceRecordSet['Type'],
    ...(setIdentifier === undefined ? {} : { SetIdentifier: setIdentifier }),
    ...(weight === undefined ? {} : { Weight: weight }),
    ...(failover === undefined ? {} : { Failover: failover }),
    ...(ttlSeconds === undefined ? {} : { TTL: ttlSeconds }),
    ...(alias === undefined
      ? { ResourceRecords: (values ?? []).map((Value) => ({ Value })) }
      : {
          AliasTarget: {
            HostedZoneId: alias.zone,
            DNSName: alias.name,
            EvaluateTargetHealth: alias.evaluateTargetHealth,
          },
        }),
    ...(healthCheckId === undefined ? {} : { HealthCheckId: healthCheckId }),
  };
}

export function batchOf(items: readonly ChangeItem[]) {
  return items.map(({ action, record }) => ({ Action: action, ResourceRecordSet: toRoute53(record) }));
}
