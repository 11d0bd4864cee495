//! Why an attachment or a detachment is refused, each with what to do.
//!
//! Invariant: an ARN is named, because the operator has to find the function; nothing of a user is.

use super::Slot;

/// A reason why nothing is done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The stack does not copy the pool.
    #[error("{pool} is not among UserPoolIds of the stack {stack}: add it there and deploy first")]
    NotOfStack {
        /// The pool.
        pool: String,
        /// The stack.
        stack: String,
    },
    /// The stack is being changed.
    #[error("the stack {stack} is {status}: wait until it is done")]
    Busy {
        /// The stack.
        stack: String,
        /// Its status.
        status: String,
    },
    /// The stack takes no update.
    #[error("the stack {stack} is {status}: mend or delete it first (its events say why)")]
    Failed {
        /// The stack.
        stack: String,
        /// Its status.
        status: String,
    },
    /// The stack's parameters cannot be changed from here.
    #[error(
        "the stack {stack} does not say where its template is, and its parameters cannot be changed without it: run make deploy-primary \
         PARAMETERS=\"{assignments}\", then attach again"
    )]
    NoTemplate {
        /// The stack.
        stack: String,
        /// The parameters, as `make deploy-primary` takes them.
        assignments: String,
    },
    /// A function of the stack is gone.
    #[error("{}: the stack's function does not exist, or the version or alias of it in the slot does not; deploy the stack again", .slot.as_str())]
    NoFunction {
        /// The slot.
        slot: Slot,
    },
    /// A function of the stack cannot be invoked now.
    #[error("{}: the stack's function is not active, or being updated; wait, or look at its state", .slot.as_str())]
    NotReady {
        /// The slot.
        slot: Slot,
    },
    /// Cognito may not invoke a function of the stack.
    #[error(
        "{}: the policy of the stack's function does not let Cognito invoke it for this pool, so that every sign-in would fail; deploy \
         the stack again",
        .slot.as_str()
    )]
    NotPermitted {
        /// The slot.
        slot: Slot,
    },
    /// Another function than the slot's would be invoked.
    #[error(
        "{}: {} of the stack names {names}, and the slot holds {}; attaching would run another function than now. If no pool needs it, \
         set the parameter to \"\" and deploy; else give this pool a stack of its own",
        .slot.as_str(),
        .slot.parameter(),
        .holds.as_deref().unwrap_or("nothing")
    )]
    OtherChain {
        /// The slot.
        slot: Slot,
        /// What the parameter says.
        names: String,
        /// What the slot holds.
        holds: Option<String>,
    },
    /// Another pool would get the function as well.
    #[error(
        "{}: {pool} of the same stack is attached too, and its users would also run {function}; give this pool a stack of its own",
        .slot.as_str()
    )]
    Shared {
        /// The slot.
        slot: Slot,
        /// The other pool.
        pool: String,
        /// The function that this pool's slot holds.
        function: String,
    },
    /// A change would be sent twice.
    #[error(
        "{}: the slot holds {function}, a function of Twinpool's that is not this stack's for this slot; detach that one first",
        .slot.as_str()
    )]
    OtherTwinpool {
        /// The slot.
        slot: Slot,
        /// The function.
        function: String,
    },
    /// The slot names a function that is gone.
    #[error("{}: the slot holds {function}, which does not exist, so that its users' calls fail now; empty the slot first", .slot.as_str())]
    Gone {
        /// The slot.
        slot: Slot,
        /// The function.
        function: String,
    },
    /// What holds the slot is not known.
    #[error(
        "{}: the slot holds {function}, which may not be looked at, and might be another Twinpool's; these credentials need \
         lambda:GetFunctionConfiguration on it and kms:Decrypt for its variables, for another account's function by its policy \
         (aws lambda add-permission --action lambda:GetFunctionConfiguration)",
        .slot.as_str()
    )]
    Unread {
        /// The slot.
        slot: Slot,
        /// The function.
        function: String,
    },
    /// A function of this stack is in another slot than its own.
    #[error(
        "{}: the slot holds {function}, which is this stack's function for {}; a detachment leaves it: give the slot by hand what it \
         had, or empty it, then attach",
        .slot.as_str(),
        .of.as_str()
    )]
    WrongSlot {
        /// The slot.
        slot: Slot,
        /// The function.
        function: String,
        /// Its own slot.
        of: Slot,
    },
    /// Lambda does not tell the variables of a function of the stack.
    #[error(
        "{}: Lambda does not tell what the stack's function invokes: its variables cannot be decrypted for these credentials \
         (kms:Decrypt), or its key is disabled",
        .slot.as_str()
    )]
    Untold {
        /// The slot.
        slot: Slot,
    },
    /// A slot would get back a function that is gone.
    #[error("{}: the slot would get back {function}, which does not exist, so that its users' calls would fail", .slot.as_str())]
    TargetGone {
        /// The slot.
        slot: Slot,
        /// The function.
        function: String,
    },
    /// A slot would get back a function that Cognito may not invoke.
    #[error(
        "{}: the slot would get back {function}, whose policy does not let Cognito invoke it for this pool, so that its users' calls \
         would fail; permit it first (aws lambda add-permission --principal cognito-idp.amazonaws.com)",
        .slot.as_str()
    )]
    TargetNotPermitted {
        /// The slot.
        slot: Slot,
        /// The function.
        function: String,
    },
    /// A slot would get back a function of which nothing is known.
    #[error(
        "{}: the slot would get back {function}, which may not be looked at: whether it exists and Cognito may invoke it is not known \
         (lambda:GetFunctionConfiguration, lambda:GetPolicy)",
        .slot.as_str()
    )]
    TargetUnread {
        /// The slot.
        slot: Slot,
        /// The function.
        function: String,
    },
    /// Stack and function say different things.
    #[error(
        "{}: the stack's function does not invoke what {} of the stack says, so somebody changed it by hand; deploy the stack again; \
         if the slot holds a version or alias, put the function itself there",
        .slot.as_str(),
        .slot.parameter()
    )]
    Drifted {
        /// The slot.
        slot: Slot,
    },
}
