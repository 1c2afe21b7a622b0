import { describe, expect, it } from 'vitest';
import { judgeOtlp } from '../../src/exporters/otlp-answer.ts';

const NOW = Date.UTC(2026, 0, 1);
const judge = (status: number, headers: Record<string, string> = {}, body = '') =>
  judgeOtlp({ status, headers, body, secure: true }, 3, NOW, {});
const protobuf = { 'content-type': 'application/x-protobuf' };
const json = { 'content-type': 'application/json; charset=utf-8' };
const accepted = { kind: 'accepted', accepted: 3, duplicates: 0 };

describe('judgeOtlp', () => {
  it('does not pass on what it repeats of the key', () => {
    const sent = { authorization: 'Bearer a-secret-of-ours' };
    const found = judgeOtlp({ status: 400, headers: {}, body: 'not you, a-secret-of-ours', secure: true }, 1, NOW, sent);
    expect(found.outcome).toEqual({ kind: 'rejected', detail: 'status 400: not you, ********' });
  });

  it.each([
    ['an empty message', 200, protobuf, ''],
    ['an empty partial success', 200, protobuf, '\n\0'],
    ['empty JSON', 200, json, '{}'],
    ['JSON with an empty partial success', 200, json, '{"partialSuccess":{}}'],
    ['JSON that says so with numbers', 200, json, '{"partialSuccess":{"rejectedDataPoints":"0","errorMessage":""}}'],
    ['no body at all', 204, {}, ''],
    ['some other text', 200, { 'content-type': 'text/plain' }, 'ok'],
  ])('takes %s as full success', (_what, status, headers, body) => {
    expect(judge(status, headers as Record<string, string>, body)).toEqual({ outcome: accepted });
  });

  it('accepts a partial success, and passes on what it says', () => {
    // partial_success { rejected_data_points: 5, error_message: "too old by an hour" }, and one with a count beyond 7 bits.
    expect(judge(200, protobuf, '\n\x16\x08\x05\x12\x12too old by an hour')).toEqual({ outcome: accepted, remark: 'too old by an hour' });
    expect(judge(200, protobuf, '\n\x17\x08\uFFFD\x02\x12\x12too old by an hour')).toMatchObject({ remark: 'too old by an hour' });
    expect(judge(200, protobuf, '\n\x02\x08\x05')).toMatchObject({ outcome: accepted, remark: expect.stringContaining('did not say why') });
    const body = JSON.stringify({ partialSuccess: { rejectedDataPoints: '2', errorMessage: 'out of order' } });
    expect(judge(200, json, body)).toEqual({ outcome: accepted, remark: 'out of order' });
  });

  it('does not take a web page for an answer', () => {
    expect(judge(200, { 'content-type': 'text/html' }, '<html>Sign in</html>').outcome).toMatchObject({
      kind: 'unavailable',
      reason: 'unexpected',
    });
  });

  it.each([
    [401, { kind: 'unauthorized' }],
    [403, { kind: 'forbidden' }],
    [413, { kind: 'too-large' }],
    [400, { kind: 'rejected' }],
    [422, { kind: 'rejected' }],
    [408, { kind: 'unavailable', reason: 'busy' }],
    [429, { kind: 'unavailable', reason: 'busy' }],
    [500, { kind: 'unavailable', reason: 'server-error' }],
    [502, { kind: 'unavailable', reason: 'server-error' }],
    [503, { kind: 'unavailable', reason: 'busy' }],
    [504, { kind: 'unavailable', reason: 'server-error' }],
    [302, { kind: 'unavailable', reason: 'unexpected' }],
    [404, { kind: 'unavailable', reason: 'unexpected' }],
    [415, { kind: 'unavailable', reason: 'unexpected' }],
  ])('%i', (status, expected) => {
    expect(judge(status).outcome).toMatchObject(expected);
  });

  it('obeys Retry-After in seconds and as a date', () => {
    expect(judge(429, { 'retry-after': '7' }).outcome).toMatchObject({ retryAfter: 7_000 });
    expect(judge(503, { 'retry-after': 'Thu, 01 Jan 2026 00:01:00 GMT' }).outcome).toMatchObject({ retryAfter: 60_000 });
    expect(judge(502, { 'retry-after': 'soon' }).outcome).not.toHaveProperty('retryAfter');
  });

  it('says why, from a Status in protobuf, from JSON and from text, in one short line', () => {
    expect(judge(400, protobuf, '\x08\x03\x12\x0bbad metrics').outcome).toMatchObject({ detail: 'status 400: bad metrics' });
    expect(judge(400, json, '{"code":3,"message":"bad\\n metrics"}').outcome).toMatchObject({ detail: 'status 400: bad metrics' });
    expect(judge(400, {}, `first\nsecond\u001b[31m${'x '.repeat(1_000)}`).outcome).toMatchObject({
      detail: expect.stringMatching(/^status 400: first second \[31m[x ]{0,300}$/),
    });
    expect(judge(502, { 'content-type': 'text/html' }, '<html>').outcome).toMatchObject({ detail: 'status 502' });
    expect(judge(400, json, '[').outcome).toMatchObject({ detail: 'status 400' });
  });
});
