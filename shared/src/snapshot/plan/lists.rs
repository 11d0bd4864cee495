//! The lists whose entries are members of a part, and how an entry is asked for by name.

use serde_json::{Value, json};

use super::{Absence, of_pool};
use crate::marks::Part;

/// How one member of a list is asked for by name.
#[derive(Clone, Copy, Debug)]
pub struct Describe {
    /// The operation.
    pub operation: &'static str,
    /// The input's member that takes the name.
    pub input: &'static str,
    /// The member of the answer that is kept.
    pub keep: &'static str,
    /// Whether the input has the pool id; a domain's name is unique without it.
    pub in_pool: bool,
}

/// A list whose entries are the members of a part.
#[derive(Clone, Copy, Debug)]
pub struct Listing {
    /// The part.
    pub part: Part,
    /// The operation; its input is the pool id, and the page size where there is one.
    pub operation: &'static str,
    /// The most entries of a page, where the operation takes a number.
    pub max_results: Option<u32>,
    /// The member of the answer that is the list.
    pub entries: &'static str,
    /// The entry's member that names it.
    pub id: &'static str,
    /// How an entry is asked for by name; `None` where AWS has no such call.
    pub describe: Option<Describe>,
    /// Whether the entry itself is everything there is, so that it is asked for by name only when it is missed.
    pub entry_is_all: bool,
    /// Which errors say that nothing is there.
    pub absence: Absence,
}

/// The lists, app clients last: what is asked for each client depends on domains and sessions.
pub const LISTINGS: [Listing; 5] = [
    Listing {
        part: Part::Replicas,
        operation: "ListUserPoolReplicas",
        max_results: None,
        entries: "UserPoolReplicas",
        id: "RegionName",
        describe: None,
        entry_is_all: true,
        absence: Absence::Feature,
    },
    Listing {
        part: Part::IdentityProviders,
        operation: "ListIdentityProviders",
        max_results: Some(60),
        entries: "Providers",
        id: "ProviderName",
        describe: Some(Describe {
            operation: "DescribeIdentityProvider",
            input: "ProviderName",
            keep: "IdentityProvider",
            in_pool: true,
        }),
        entry_is_all: false,
        absence: Absence::Never,
    },
    Listing {
        part: Part::ResourceServers,
        operation: "ListResourceServers",
        max_results: Some(50),
        entries: "ResourceServers",
        id: "Identifier",
        describe: Some(Describe {
            operation: "DescribeResourceServer",
            input: "Identifier",
            keep: "ResourceServer",
            in_pool: true,
        }),
        entry_is_all: true,
        absence: Absence::Never,
    },
    Listing {
        part: Part::Terms,
        operation: "ListTerms",
        max_results: Some(60),
        entries: "Terms",
        id: "TermsId",
        describe: Some(Describe {
            operation: "DescribeTerms",
            input: "TermsId",
            keep: "Terms",
            in_pool: true,
        }),
        entry_is_all: false,
        absence: Absence::Feature,
    },
    Listing {
        part: Part::Clients,
        operation: "ListUserPoolClients",
        max_results: Some(60),
        entries: "UserPoolClients",
        id: "ClientId",
        describe: Some(Describe {
            operation: "DescribeUserPoolClient",
            input: "ClientId",
            keep: "UserPoolClient",
            in_pool: true,
        }),
        entry_is_all: false,
        absence: Absence::Never,
    },
];

/// The domains that `DescribeUserPool` names stand for a list.
pub const DOMAIN: Describe = Describe {
    operation: "DescribeUserPoolDomain",
    input: "Domain",
    keep: "DomainDescription",
    in_pool: false,
};

impl Listing {
    /// Input of the page that `token` leads to.
    #[must_use]
    pub fn input(&self, pool: &str, token: Option<&str>) -> Value {
        let mut input = of_pool(pool);
        if let Some(most) = self.max_results {
            input["MaxResults"] = json!(most);
        }
        if let Some(token) = token {
            input["NextToken"] = json!(token);
        }
        input
    }
}

impl Describe {
    /// Input that asks for `name`.
    #[must_use]
    pub fn input(&self, pool: &str, name: &str) -> Value {
        let mut input = if self.in_pool { of_pool(pool) } else { json!({}) };
        input[self.input] = json!(name);
        input
    }
}
