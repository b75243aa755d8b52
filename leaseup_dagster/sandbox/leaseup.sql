-- LeaseUp's own tables, as its 60 migrations leave them on PostgreSQL 18: the columns this
-- product reads or writes, and those it must fill. For a machine without LeaseUp; never run
-- by the product.

CREATE TYPE "InvoiceStatus" AS ENUM
    ('PENDING', 'PAID', 'CANCELLED', 'OVERDUE', 'PARTIALLY_PAID', 'DRAFT');
CREATE TYPE "InvoiceCategory" AS ENUM
    ('DEPOSIT', 'RENT', 'MAINTENANCE', 'UTILITY_BILL', 'LEVY', 'RATES_AND_TAXES',
     'SERVICE_CHARGE', 'WATER_ELECTRICITY', 'OTHER');
CREATE TYPE "InvoiceCycle" AS ENUM ('MONTHLY');
CREATE TYPE "LeaseStatus" AS ENUM
    ('PENDING', 'ACTIVE', 'INACTIVE', 'EXPIRED', 'ENDED', 'RENEWED');
CREATE TYPE "LeaseTermType" AS ENUM ('MONTHLY', 'FIXED_TERM');
CREATE TYPE "SubscriptionPlanStatus" AS ENUM
    ('ACTIVE', 'NON_RENEWING', 'ATTENTION', 'DISABLED', 'COMPLETED', 'CANCELLED',
     'TRIAL_ACTIVE', 'TRIAL_EXPIRED');
CREATE TYPE "TransactionMethod" AS ENUM ('OFFLINE', 'PAYSTACK');
CREATE TYPE "PropertyStatus" AS ENUM ('ACTIVE', 'INACTIVE');
CREATE TYPE "PropertyType" AS ENUM ('SINGLE_UNIT', 'MULTI_UNIT');

CREATE TABLE "user" (
    id                           text PRIMARY KEY,
    name                         text NOT NULL,
    email                        text NOT NULL UNIQUE,
    phone                        text,
    "businessName"               text,
    "paystackSplitGroupId"       text,
    "paystackSubAccountId"       text,
    "paystackSubscriptionStatus" "SubscriptionPlanStatus",
    "createdAt"                  timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"                  timestamp(3) NOT NULL
);

CREATE TABLE property (
    id               text PRIMARY KEY,
    name             text NOT NULL,
    "addressLine1"   text NOT NULL,
    city             text NOT NULL,
    state            text NOT NULL,
    zip              text NOT NULL,
    "countryCode"    text NOT NULL DEFAULT 'ZA',
    "landlordId"     text NOT NULL REFERENCES "user" (id),
    "propertyStatus" "PropertyStatus" NOT NULL DEFAULT 'ACTIVE',
    "propertyType"   "PropertyType" NOT NULL DEFAULT 'MULTI_UNIT',
    "createdAt"      timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"      timestamp(3) NOT NULL
);

CREATE TABLE unit (
    id           text PRIMARY KEY,
    "propertyId" text NOT NULL REFERENCES property (id),
    name         text NOT NULL,
    bathrooms    double precision NOT NULL DEFAULT 1,
    bedrooms     double precision NOT NULL DEFAULT 1,
    deposit      double precision NOT NULL DEFAULT 0,
    "marketRent" double precision NOT NULL DEFAULT 0,
    sqmt         double precision NOT NULL DEFAULT 0,
    "createdAt"  timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"  timestamp(3) NOT NULL
);

CREATE TABLE tenant (
    id                   text PRIMARY KEY,
    email                text NOT NULL,
    "firstName"          text NOT NULL,
    "lastName"           text NOT NULL,
    phone                text NOT NULL,
    "landlordId"         text NOT NULL REFERENCES "user" (id),
    "paystackCustomerId" text,
    "createdAt"          timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"          timestamp(3) NOT NULL,
    UNIQUE ("landlordId", email),
    UNIQUE ("landlordId", phone)
);

CREATE TABLE lease (
    id                         text PRIMARY KEY,
    "startDate"                date NOT NULL,
    "endDate"                  date,
    rent                       double precision NOT NULL,
    deposit                    double precision NOT NULL,
    status                     "LeaseStatus" NOT NULL,
    "rentDueCurrency"          text NOT NULL,
    "unitId"                   text REFERENCES unit (id),
    "automaticInvoice"         boolean NOT NULL DEFAULT false,
    "invoiceCycle"             "InvoiceCycle" NOT NULL DEFAULT 'MONTHLY',
    "leaseType"                "LeaseTermType" NOT NULL,
    "paystackPlanCode"         text,
    "paystackSubscriptionCode" text,
    "paystackAuthorizationUrl" text,
    "paystackReference"        text,
    "createdAt"                timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"                timestamp(3) NOT NULL
);

CREATE TABLE tenant_lease (
    id         text PRIMARY KEY,
    "tenantId" text NOT NULL REFERENCES tenant (id),
    "leaseId"  text NOT NULL REFERENCES lease (id)
);

CREATE TABLE recurring_billable (
    id              text PRIMARY KEY,
    "startDate"     date NOT NULL,
    "endDate"       timestamp(3),
    description     text NOT NULL,
    amount          double precision NOT NULL,
    category        "InvoiceCategory" NOT NULL,
    cycle           "InvoiceCycle" NOT NULL,
    "nextInvoiceAt" timestamp(3) NOT NULL,
    "isActive"      boolean NOT NULL DEFAULT true,
    "leaseId"       text REFERENCES lease (id),
    "tenantId"      text NOT NULL REFERENCES tenant (id),
    "propertyId"    text
);

CREATE TABLE invoice (
    id                    text PRIMARY KEY,
    "leaseId"             text REFERENCES lease (id),
    "tenantId"            text NOT NULL REFERENCES tenant (id),
    "landlordId"          text NOT NULL REFERENCES "user" (id),
    description           text NOT NULL,
    "dueAmount"           double precision NOT NULL,
    category              "InvoiceCategory" NOT NULL,
    status                "InvoiceStatus" NOT NULL,
    "paystackId"          text NOT NULL,
    "paymentRequestUrl"   text DEFAULT '',
    "dueDate"             date,
    "lineItems"           jsonb,
    "recurringBillableId" text REFERENCES recurring_billable (id),
    "offlineReference"    text DEFAULT '',
    "invoiceNumber"       serial NOT NULL UNIQUE,
    "createdAt"           timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"           timestamp(3) NOT NULL
);

CREATE TABLE transaction (
    id            text PRIMARY KEY,
    "leaseId"     text REFERENCES lease (id),
    "invoiceId"   text REFERENCES invoice (id),
    description   text NOT NULL,
    "amountPaid"  double precision NOT NULL,
    "referenceId" text,
    method        "TransactionMethod" NOT NULL DEFAULT 'OFFLINE',
    "createdAt"   timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"   timestamp(3) NOT NULL
);
