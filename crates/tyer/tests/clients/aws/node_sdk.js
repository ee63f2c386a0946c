// The AWS SDK for JavaScript: one service of each protocol, streams whose length and checksum are not known before they
// end, presigned links, paginators and waiters.

const { createHash } = require("node:crypto");
const dns = require("node:dns");
const { Readable } = require("node:stream");
const cloudformation = require("@aws-sdk/client-cloudformation");
const dynamodb = require("@aws-sdk/client-dynamodb");
const ec2 = require("@aws-sdk/client-ec2");
const lambda = require("@aws-sdk/client-lambda");
const s3 = require("@aws-sdk/client-s3");
const sqs = require("@aws-sdk/client-sqs");
const sts = require("@aws-sdk/client-sts");
const { Upload } = require("@aws-sdk/lib-storage");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");

// Fields that are made up anew each time, and what is made up within others.
const OPAQUE = new Set([
  "requestId", "extendedRequestId", "cfId", "MessageId", "SequenceNumber", "ShardIterator", "NextShardIterator",
  "ReceiptHandle", "UploadId", "NextToken", "LatestStreamLabel", "RevisionId", "ETagOfParts", "UserId", "ContinuationToken",
  "NextContinuationToken", "MillisBehindLatest",
]);
const MADE_UP = [
  [/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g, "<uuid>"],
  [/\b(?:127\.0\.0\.1|localhost):\d+/g, "<address>"],
  [/\b([a-z]{1,12})-[0-9a-f]{8,40}\b/g, "$1-<hex>"],
  [/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?/g, "<moment>"],
  [/\bA[A-Z0-9]{15,20}\b/g, "<key>"],
  [/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, "<ip>"],
];

function plain(key, value) {
  if (OPAQUE.has(key)) return `<${key}>`;
  if (value instanceof Date) return "<moment>";
  if (value instanceof Uint8Array) return `${value.length} bytes ${digest(value)}`;
  if (typeof value === "string") return MADE_UP.reduce((text, [pattern, word]) => text.replace(pattern, word), value);
  if (Array.isArray(value)) return value.map((item) => plain("", item));
  if (value && typeof value === "object") {
    const keys = Object.keys(value).sort();
    return Object.fromEntries(keys.map((name) => [name, plain(name, value[name])]));
  }
  return value;
}

function digest(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

function say(what, told) {
  console.log(JSON.stringify([what, plain("", told)]));
}

// Sends a command and writes down what came of it.
function speaker(kind, client) {
  return async (name, input) => {
    try {
      const told = await client.send(new kind[`${name}Command`](input));
      if (told.Body) told.Body = digest(await told.Body.transformToByteArray());
      say(name, told);
      return told;
    } catch (error) {
      const { name: code, message, $fault, $metadata, Code } = error;
      say(name, { error: { code, message, $fault, Code, $metadata } });
      return {};
    }
  };
}

// All names below localhost are this machine, as browsers have them and not every system does.
const { lookup } = dns;
dns.lookup = (host, ...more) => lookup(host.endsWith(".localhost") ? "localhost" : host, ...more);

const settings = { region: "eu-west-1", maxAttempts: 1 };

async function json() {
  let it = speaker(dynamodb, new dynamodb.DynamoDBClient(settings));
  await it("CreateTable", {
    TableName: "js", BillingMode: "PAY_PER_REQUEST", KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
  });
  await it("PutItem", { TableName: "js", Item: { id: { S: "ü🛒" }, raw: { B: Buffer.from([0, 255]) }, n: { N: "1.50" } } });
  await it("GetItem", { TableName: "js", Key: { id: { S: "ü🛒" } } });
  await it("GetItem", { TableName: "none", Key: { id: { S: "x" } } });
  const client = new dynamodb.DynamoDBClient(settings);
  await dynamodb.waitUntilTableExists({ client, maxWaitTime: 10, minDelay: 1 }, { TableName: "js" });
  it = speaker(sqs, new sqs.SQSClient({ ...settings, useQueueUrlAsEndpoint: false }));
  const { QueueUrl } = await it("CreateQueue", { QueueName: "js" });
  await it("SendMessage", { QueueUrl, MessageBody: "<hello> & ü" });
  await it("ReceiveMessage", { QueueUrl });
  await it("GetQueueUrl", { QueueName: "none" });
}

async function query() {
  let it = speaker(sts, new sts.STSClient(settings));
  await it("GetCallerIdentity", {});
  it = speaker(ec2, new ec2.EC2Client(settings));
  const { Vpc } = await it("CreateVpc", { CidrBlock: "10.9.0.0/16" });
  await it("DescribeVpcs", { VpcIds: [Vpc.VpcId] });
  await it("DeleteVpc", { VpcId: Vpc.VpcId });
  await it("DescribeVpcs", { VpcIds: [Vpc.VpcId] });
  it = speaker(cloudformation, new cloudformation.CloudFormationClient(settings));
  await it("CreateStack", {
    StackName: "js", TemplateBody: JSON.stringify({ Resources: { News: { Type: "AWS::SNS::Topic" } } }),
  });
  await it("DescribeStacks", { StackName: "js" });
  await it("DeleteStack", { StackName: "js" });
}

async function rest() {
  const it = speaker(lambda, new lambda.LambdaClient(settings));
  await it("ListFunctions", { MaxItems: 3 });
  await it("GetFunction", { FunctionName: "none" });
}

async function objects(forcePathStyle) {
  const client = new s3.S3Client({ ...settings, forcePathStyle });
  const it = speaker(s3, client);
  const Bucket = `js-${forcePathStyle}`;
  await it("CreateBucket", { Bucket, CreateBucketConfiguration: { LocationConstraint: "eu-west-1" } });
  await s3.waitUntilBucketExists({ client, maxWaitTime: 10, minDelay: 1 }, { Bucket });
  for (const Key of ["plain", "with space/ü+🛒", "a//b", "per%20cent"]) {
    await it("PutObject", { Bucket, Key, Body: `body of ${Key}`, Metadata: { a: "b" } });
    await it("GetObject", { Bucket, Key });
  }
  const body = Buffer.alloc(3 << 20, "0123456789abcdef");
  await it("PutObject", { Bucket, Key: "stream", Body: Readable.from(pieces(body)), ContentLength: body.length });
  await it("GetObject", { Bucket, Key: "stream" });
  await it("PutObject", {
    Bucket, Key: "summed", Body: Readable.from(pieces(body)), ContentLength: body.length, ChecksumAlgorithm: "SHA256",
  });
  await it("GetObject", { Bucket, Key: "summed", ChecksumMode: "ENABLED" });
  const upload = new Upload({
    client, params: { Bucket, Key: "parts", Body: Readable.from(pieces(Buffer.alloc(12 << 20, "parts"))) },
    partSize: 5 << 20, queueSize: 2,
  });
  say("Upload", await upload.done());
  await it("HeadObject", { Bucket, Key: "parts" });
  const found = [];
  for await (const page of s3.paginateListObjectsV2({ client, pageSize: 2 }, { Bucket })) {
    found.push(page.Contents.map((item) => [item.Key, item.Size, item.ETag]));
  }
  say("paginateListObjectsV2", found);
  const put = await getSignedUrl(client, new s3.PutObjectCommand({ Bucket, Key: "linked" }), { expiresIn: 60 });
  say("linked PUT", (await fetch(put, { method: "PUT", body: "by a link" })).status);
  const get = await getSignedUrl(client, new s3.GetObjectCommand({ Bucket, Key: "linked" }));
  say("linked GET", await (await fetch(get)).text());
  await it("DeleteObjects", { Bucket, Delete: { Objects: [{ Key: "plain" }, { Key: "a//b" }] } });
  await it("GetObject", { Bucket, Key: "plain" });
}

async function* pieces(bytes) {
  for (let at = 0; at < bytes.length; at += 70001) yield bytes.subarray(at, at + 70001);
}

async function main() {
  await json();
  await query();
  await rest();
  await objects(true);
  await objects(false);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
